"""Exports of the message manager made of what its reader decides by, and damage to them; by chance or by a fuzzer."""

from __future__ import annotations

from typing import Protocol

RULE, DASHES = "=" * 64, "-" * 28
SHOP = "某旗舰店"
_NICKS = (
    "b", "buyer_a", "t**1", "-a-", "--", "张(三)", "王（五）:", "某旗舰店:小号", "cntaobaob", "cntaobao", "cnalichnx", "𠮷", "x(自动回复)",
    "自动回复", ":", "：", "(", ")", "a" * 70, "长" * 30, "a\u3000b", "\u2028", "1(2020-09-01 10:12:13)", "",
)  # fmt: skip
_OTHERS = (
    SHOP,
    f"{SHOP}:客服A",
    f"{SHOP}:",
    f"{SHOP}",
    "别店:小李",
    "别店 :小李",
    "店小二",
    "b" * 63 + ":c",
    ":x",
    "说: 好",
    "别店::x",
)
_MARKS = ("", "", "", "(自动回复)", "（自动回复）", "[自动回复]", "自动回复", "(自动回复）", "（自动")
_BLANKS = (
    "",
    "",
    "",
    " ",
    "  ",
    "\t",
    "\u3000",
    "\xa0",
    "\u2028",
    "\x1c",
    "\x85",
    "\u1680",
    "\u205f",
    "\u200b",
)
_DATES = ("2020-09-01",) * 8 + (
    "2020-02-29", "2021-02-29", "2100-02-29", "2000-02-29", "2020-13-01", "2020-04-31", "2020-01-00", "1970-01-01", "2000-01-01",
    "2099-12-31", "0000-00-00", "9999-12-31", "2020-9-01", "２０20-09-01",
)  # fmt: skip
_CLOCKS = ("10:12:13",) * 4 + (
    "10:12:08",
    "10:12:07",
    "09:00:00",
    "23:59:59",
    "24:00:00",
    "10:60:00",
    "10:00:60",
    "1:00:00",
    "10:12:1",
)
_WORDS = (
    "在吗", "亲", "a", "", "，", "（2", "(2", "-", "=", "\ufffd", "好的，马上为您查询", "1", "😀", "\0", "\r", "\x7f", "é", "123456789012", "1234567890123",
    DASHES, DASHES[1:], RULE, RULE[1:], "单聊", "群聊", "长" * 400, "a" * 5000, "(2020-09-01 10:12:13):", "2020-09-01 10:12:13",
)  # fmt: skip
_ENDS = ("\n", "\n", "\r\n", "\r\n", "\r", "\r\r\n", "\n\r", "")
_ENCODINGS = ("gb18030", "gb18030", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be")
JUNK = (
    b"\xff", b"\x80", b"\x81", b"\x810", b"\x8130", b"\x81\x30\x81", b"\x84\x31\xa4\x39", b"\xe3\x32\x9a\x36", b"\xfe\x39\xfe\x39",
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xe4\xbd", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xf0\x9f\x98", b"\xef\xbf\xbd", b"\xef\xbb\xbf",
    b"\0", b"\r", b"\n", b"\n\n\n", b"\xa1\xa1", b"\xef\xbc", b"\xef\xbc\x88", b"(", b"\xe3\x80\x80", b"\xc2", b"\xe2\x80",
)  # fmt: skip
"""Bytes that are no characters, halves of some, and what the scanner looks at byte by byte."""


class Chance(Protocol):
    """What decides: random.Random, or the bytes of a fuzzer."""

    def randrange(self, stop: int, /) -> int:
        """A number below ``stop``."""
        ...


def _one(chance: Chance, of: tuple[str, ...]) -> str:
    return of[chance.randrange(len(of))]


def _head(chance: Chance, nick: str) -> str:
    sender = nick if chance.randrange(3) else _one(chance, _NICKS + _OTHERS)
    sender = f"{SHOP}:客服A" if chance.randrange(3) == 0 else sender
    opening, closing = ("（", "）") if chance.randrange(6) == 0 else ("(", ")")
    colon = (":", ":", ":", "：", ";", "")[chance.randrange(6)]
    return (
        f"{_one(chance, _BLANKS)}{sender}{_one(chance, _MARKS)}{_one(chance, _BLANKS)}"
        f"{opening}{_one(chance, _DATES)} {_one(chance, _CLOCKS)}{closing}{colon}"
    )


def _words(chance: Chance) -> str:
    return "".join(_one(chance, _WORDS + _BLANKS + _MARKS) for _ in range(chance.randrange(5)))


def _line(chance: Chance, nick: str) -> str:
    kind = chance.randrange(12)
    if kind < 6:
        quoted = _head(chance, nick) if chance.randrange(4) == 0 else ""
        return f"{_head(chance, nick)}{'  ' if chance.randrange(3) else ' '}{quoted}{_one(chance, _MARKS)}{_words(chance)}"
    if kind < 9:
        return _words(chance)
    if kind == 9:
        return f"{_one(chance, _DATES)} {_one(chance, _CLOCKS)}{_one(chance, _BLANKS)}"
    if kind == 10:
        return f"{DASHES}{'-' * chance.randrange(2)}{_one(chance, _NICKS)}{DASHES}{_one(chance, _BLANKS)}"
    return f"{RULE}\n{' ' * chance.randrange(32)}{'群聊' if chance.randrange(3) == 0 else '单聊'}{_one(chance, _BLANKS)}\n{RULE}"


def made(chance: Chance) -> bytes:
    """An export that is whole, or nearly so."""
    lines = [(f"{SHOP}:客服A", SHOP, "", f"\n {SHOP} ", RULE)[chance.randrange(5)]]
    if chance.randrange(4):
        lines += ["", RULE, " " * 31 + "单聊" + " " * 29, RULE, "", ""]
    for _ in range(chance.randrange(4)):
        nick = _one(chance, _NICKS)
        lines.append(f"{DASHES}{nick}{DASHES}")
        lines += [_line(chance, nick) for _ in range(chance.randrange(8))]
    if chance.randrange(40) == 0:
        lines += [f"{DASHES}-x-{DASHES}"] * 300
    text = "\n".join(lines) + ("\n" if chance.randrange(3) else "")
    end = _one(chance, _ENDS)
    encoding = _one(chance, _ENCODINGS)
    return (text.replace("\n", end) if end else text).encode(encoding, errors="surrogatepass")


def damaged(data: bytes, chance: Chance) -> bytes:
    """The same with some bytes put in, taken out, doubled, or cut off."""
    found = bytearray(data)
    for _ in range((0, 0, 1, 1, 2, 4)[chance.randrange(6)]):
        place = _place(chance, len(found))
        kind = chance.randrange(5)
        if kind == 0:
            found[place:place] = JUNK[chance.randrange(len(JUNK))]
        elif kind == 1:
            del found[place : place + 1 + chance.randrange(4)]
        elif kind == 2:
            found[place : place + 2] = JUNK[chance.randrange(len(JUNK))]
        elif kind == 3:
            found[place:place] = found[place : place + chance.randrange(60)]
        else:
            del found[place:]
    return bytes(found)


def _place(chance: Chance, size: int) -> int:
    return (chance.randrange(256) << 8 | chance.randrange(256)) % (size + 1)
