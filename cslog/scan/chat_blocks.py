"""One pass over the bytes of a Txt export of the message manager (formats 1.1), for cslog.readers.qn_txt.

What the format means is said there. Here: lines, contact lines, senders, times and texts found in UTF-8 without a
Python object per line. Names and texts are given as Arrow string views (length, then the bytes themselves or their
place), so no text is copied. The one thing moved are lines of a text behind a line that is left out of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, types

from cslog.scan.words import first_byte, pointer, word_at

REASONS = (
    "outside a contact block",
    "text before the first message of its block",
    "the sender is neither the block's buyer nor staff",
    "impossible date",
)
"""Why a line is rejected."""

_OUTSIDE, _BEFORE_FIRST, _STRANGER, _IMPOSSIBLE = range(4)

_SKEW_S = 5  # clocks of client and server differ by seconds; a quoted message is older than that
_LONGEST_ACCOUNT = 64

_BUFFER = types.Array(types.uint8, 1, "C")
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_I64 = types.Array(types.int64, 1, "C", readonly=True)

PADDING = 16
"""Bytes behind a text that may be read, though they are not of it: words are read whole."""

_RULE, _DASHES = 64, 28
_STAMP = 19  # bytes of 0000-00-00 00:00:00
_VIEW_SHIFT = 30
_PIECE = 1 << 20

_U = np.uint64
_ONES, _HIGH = _U(0x0101010101010101), _U(0x8080808080808080)
_LINE_FEEDS, _BRACKETS, _WIDE = _ONES * _U(0x0A), _ONES * _U(0x28), _ONES * _U(0xEF)


def _form(digits: bytes) -> tuple[np.uint64, np.uint64]:
    """Where eight characters are no digits (0 stands for any digit), and what they are."""
    mask = bytes(0 if byte == 0x30 else 0xFF for byte in digits)
    kept = bytes(byte & bit for byte, bit in zip(digits, mask, strict=True))
    return _U(int.from_bytes(mask, "little")), _U(int.from_bytes(kept, "little"))


def _word(text: str) -> np.uint64:
    return _U(int.from_bytes(text.encode(), "little"))


_DATE_MASK, _DATE = _form(b"0000-00-")
_MIDDLE_MASK, _MIDDLE = _form(b"00 00:00")
_CLOCK_MASK, _CLOCK = _form(b"00:00:00")


_SINGLE, _GROUP = _word("单聊"), _word("群聊")
_TAOBAO, _ALICHN = _word("cntaobao"), _word("cnalichn")
_MARK, _MARK_END, _MARK_SIZE = (
    _U(int.from_bytes("自动回复".encode()[:8], "little")),
    _U(int.from_bytes("自动回复".encode()[8:], "little")),
    12,
)


class Blocks(NamedTuple):
    """What the single chats of a file hold. Strings are views, two words each, see ``_view``."""

    line: np.ndarray
    block: np.ndarray
    sent_at: np.ndarray
    auto: np.ndarray
    buyer: np.ndarray
    sender: np.ndarray
    text: np.ndarray
    rejected_line: np.ndarray
    rejected_reason: np.ndarray
    rejected_text: np.ndarray
    group_lines: int
    quoted: int
    backwards: int


def scan(text: bytearray, start: int, line: int, accounts: list[str], shops: list[str]) -> Blocks:
    """Read ``text`` (UTF-8, lines end in LF) from the byte ``start``, which begins the line number ``line``.

    ``accounts`` are names that speak for the shop, ``shops`` names of which ``shop:…`` does. ``text`` is changed,
    and gets PADDING.
    """
    size = len(text)
    text += bytes(PADDING)
    buffer = np.frombuffer(text, np.uint8)
    columns, views, counts = _scan(
        buffer,
        size,
        start,
        line,
        1 + _line_feeds(buffer[start:size]),
        *_packed(accounts),
        *_packed([f"{shop}:" for shop in shops]),
    )
    messages, rejects, group_lines, quoted, backwards = map(int, counts)
    lines, blocks, moments, autos, *rejected = columns
    return Blocks(
        line=lines[:messages],
        block=blocks[:messages],
        sent_at=moments[:messages],
        auto=autos[:messages].view(np.bool_),
        buyer=views[0][: 2 * messages],
        sender=views[1][: 2 * messages],
        text=views[2][: 2 * messages],
        rejected_line=rejected[0][:rejects],
        rejected_reason=rejected[1][:rejects],
        rejected_text=views[3][: 2 * rejects],
        group_lines=group_lines,
        quoted=quoted,
        backwards=backwards,
    )


def _line_feeds(text: np.ndarray) -> int:
    """How many there are. By numpy, which compares 32 bytes at once; piece by piece, for what it makes is as long."""
    pieces = (text[at : at + _PIECE] for at in range(0, text.size, _PIECE))
    return sum(int(np.count_nonzero(piece == 10)) for piece in pieces)


def _packed(names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The names in UTF-8 behind one another, and where each ends."""
    encoded = [name.encode() for name in names]
    data = np.frombuffer(b"".join(encoded) + bytes(PADDING), np.uint8)
    return data, np.cumsum([len(name) for name in encoded], dtype=np.int64)


@njit
def _space_at(text, place, end):  # type: ignore[no-untyped-def]
    """Length of the white space that stands at ``place``, as Python's str.strip knows it; 0 for none."""
    byte = text[place]
    if byte <= 0x20:
        return 1 if byte == 0x20 or 9 <= byte <= 13 or 0x1C <= byte <= 0x1F else 0
    if byte == 0xC2:
        return 2 if place + 1 < end and (text[place + 1] == 0x85 or text[place + 1] == 0xA0) else 0
    if place + 2 >= end:
        return 0
    second, third = text[place + 1], text[place + 2]
    if byte == 0xE3:
        return 3 if second == 0x80 and third == 0x80 else 0
    if byte == 0xE2:
        if second == 0x80:
            return 3 if 0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
        return 3 if second == 0x81 and third == 0x9F else 0
    return 3 if byte == 0xE1 and second == 0x9A and third == 0x80 else 0


@njit
def _left(text, start, end):  # type: ignore[no-untyped-def]
    """Where the first character that is not white space begins; ``end`` in a blank stretch."""
    while start < end:
        length = _space_at(text, start, end)
        if length == 0:
            break
        start += length
    return start


@njit
def _right(text, start, end):  # type: ignore[no-untyped-def]
    """Where the last character that is not white space ends; ``start`` in a blank stretch."""
    while end > start:
        place = end - 1
        while place > start and text[place] & 0xC0 == 0x80:
            place -= 1
        if _space_at(text, place, end) == 0:
            break
        end = place
    return end


@njit
def _low(length):  # type: ignore[no-untyped-def]
    """A word whose first ``length`` bytes (0 to 7) are all ones."""
    return (_U(1) << _U(8 * length)) - _U(1)


@njit
def _begins(text, place, end, other, begin, stop):  # type: ignore[no-untyped-def]
    """Whether the bytes from ``place`` to ``end`` begin with those of ``other`` from ``begin`` to ``stop``."""
    length = stop - begin
    if end - place < length:
        return False
    i = 0
    while i + 8 <= length:
        if word_at(text, place + i) != word_at(other, begin + i):
            return False
        i += 8
    return (word_at(text, place + i) ^ word_at(other, begin + i)) & _low(length - i) == 0


@njit
def _is_at(text, place, end, word, length):  # type: ignore[no-untyped-def]
    """Whether the first ``length`` bytes (1 to 8) of ``word`` stand at ``place`` before ``end``."""
    if end - place < length:
        return False
    found = word_at(text, place)
    if length < 8:
        found &= _low(length)
    return found == word


@njit
def _is_mark(text, place, end):  # type: ignore[no-untyped-def]
    """Whether 自动回复 stands at ``place``."""
    return _is_at(text, place, end, _MARK, 8) and _is_at(text, place + 8, end, _MARK_END, 4)


@njit
def _run(text, place, end, byte):  # type: ignore[no-untyped-def]
    """How often ``byte`` stands at ``place`` in a row."""
    count = 0
    while place + count < end and text[place + count] == byte:
        count += 1
    return count


@njit
def _line_end(text, place, size):  # type: ignore[no-untyped-def]
    while place < size:
        word = word_at(text, place) ^ _LINE_FEEDS
        hit = (word - _ONES) & ~word & _HIGH
        if hit:
            return place + first_byte(hit)
        place += 8
    return size


@njit
def _line_end_or_bracket(text, place, size):  # type: ignore[no-untyped-def]
    """The first byte from ``place`` on that ends the line or may begin a bracket."""
    while place < size:
        word = word_at(text, place)
        line, bracket, wide = word ^ _LINE_FEEDS, word ^ _BRACKETS, word ^ _WIDE
        hit = ((line - _ONES) & ~line) | ((bracket - _ONES) & ~bracket) | ((wide - _ONES) & ~wide)
        if hit & _HIGH:
            return place + first_byte(hit & _HIGH)
        place += 8
    return size


@njit
def _plain(text, start, end):  # type: ignore[no-untyped-def]
    """Where a name begins without its long-id prefix (formats 6)."""
    if end - start > 8 and (_is_at(text, start, end, _TAOBAO, 8) or _is_at(text, start, end, _ALICHN, 8)):
        return start + 8
    return start


@njit
def _is_rule(text, start, end):  # type: ignore[no-untyped-def]
    """Whether the line is the 64 ``=`` around a section title."""
    return _run(text, start, end, 0x3D) == _RULE and _right(text, start, end) == start + _RULE


@njit
def _nick(text, start, end):  # type: ignore[no-untyped-def]
    """Begin and end of the nick of a line in the form of a contact line; a negative begin for other lines."""
    if end - start <= 2 * _DASHES or _run(text, start, start + _DASHES, 0x2D) < _DASHES:
        return -1, -1
    end = _right(text, start, end)
    if end - start <= 2 * _DASHES:
        return -1, -1
    for place in range(end - _DASHES, end):
        if text[place] != 0x2D:
            return -1, -1
    start, end = start + _DASHES, end - _DASHES
    place = start
    while place < end:  # dashes, blanks and tabs alone are no nick
        if text[place] == 0x2D or text[place] == 0x20 or text[place] == 0x09:
            place += 1
        elif text[place] == 0xE3 and _space_at(text, place, end) == 3:
            place += 3
        else:
            start = _left(text, start, end)
            return start, _right(text, start, end)
    return -1, -1


@njit
def _bracket(text, place, end, ascii_byte, last):  # type: ignore[no-untyped-def]
    """Length of the mark at ``place``, in ASCII or full width (EF BC ``last``); 0 when it is another character."""
    if place >= end:
        return 0
    if text[place] == ascii_byte:
        return 1
    if text[place] == 0xEF and place + 2 < end and text[place + 1] == 0xBC and text[place + 2] == last:
        return 3
    return 0


@njit
def _speaks(text, size, place, start, end):  # type: ignore[no-untyped-def]
    """Whether the nick from ``start`` to ``end`` opens a line in the block whose first line is at ``place``."""
    while place < size:
        stop = _line_end(text, place, size)
        if _nick(text, place, stop)[0] >= 0:
            return False
        name = _plain(text, place, stop)
        if _begins(text, name, stop, text, start, end) and _bracket(
            text, name + end - start, stop, 0x28, 0x88
        ):
            return True
        place = stop + 1
    return False


@njit
def _has_form(word, mask, form):  # type: ignore[no-untyped-def]
    """Whether a word has the characters of ``form`` where ``mask`` is set, and digits elsewhere."""
    digits = word ^ (_ONES * _U(0x30))
    above = (digits + _ONES * _U(0x76)) | digits  # the highest bit is set unless it is 0 to 9
    return (word & mask) == form and above & _HIGH & ~mask == 0


@njit
def _stamp(text, place, end):  # type: ignore[no-untyped-def]
    """Whether a date and a time in digits (``0000-00-00 00:00:00``) stand at ``place``."""
    return (
        end - place >= _STAMP
        and _has_form(word_at(text, place), _DATE_MASK, _DATE)
        and _has_form(word_at(text, place + 8), _MIDDLE_MASK, _MIDDLE)
        and _has_form(word_at(text, place + 11), _CLOCK_MASK, _CLOCK)
    )


@njit
def _tail(text, place, end):  # type: ignore[no-untyped-def]
    """Begin of the stamp and end of ``(stamp):``, what stands between a sender and his text; or -1, -1."""
    stamp = place + _bracket(text, place, end, 0x28, 0x88)
    if stamp == place or not _stamp(text, stamp, end):
        return -1, -1
    place = stamp + _STAMP
    closing = _bracket(text, place, end, 0x29, 0x89)
    if closing == 0:
        return -1, -1
    colon = _bracket(text, place + closing, end, 0x3A, 0x9A)
    if colon == 0:
        return -1, -1
    return stamp, place + closing + colon


@njit
def _number(text, place, digits):  # type: ignore[no-untyped-def]
    value = np.int64(0)
    for i in range(place, place + digits):
        value = value * 10 + (np.int64(text[i]) - 0x30)
    return value


@njit
def _instant(text, stamp):  # type: ignore[no-untyped-def]
    """Wall-clock seconds since 1970-01-01 (kpi-spec T1); -1 when there is no such date or time."""
    year, month, day = _number(text, stamp, 4), _number(text, stamp + 5, 2), _number(text, stamp + 8, 2)
    hour, minute = _number(text, stamp + 11, 2), _number(text, stamp + 14, 2)
    second = _number(text, stamp + 17, 2)
    if year < 2000 or year > 2099:  # a broken clock writes 1970, and no chat is from there
        return -1
    if month < 1 or month > 12 or day < 1 or hour > 23 or minute > 59 or second > 59:
        return -1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 31
    if month == 2:
        longest = 29 if leap else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        longest = 30
    if day > longest:
        return -1
    # Days since 1970-01-01 by years that begin in March, so that the leap day comes last.
    shifted = year - 1 if month <= 2 else year
    of_year = (153 * (month + (9 if month <= 2 else -3)) + 2) // 5 + day - 1
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
    return days * 86_400 + hour * 3600 + minute * 60 + second


@njit
def _sender(text, start, end):  # type: ignore[no-untyped-def]
    """Begin, end and mark of a sender: without outer blanks and ``(自动回复)`` behind him (formats 6)."""
    start = _left(text, start, end)
    end = _right(text, start, end)
    if end == start or (text[end - 1] != 0x29 and text[end - 1] != 0x89):
        return start, end, False
    for width in (1, 3):
        mark = end - _MARK_SIZE - 2 * width
        if (
            mark > start
            and _is_mark(text, mark + width, end)
            and _bracket(text, mark, end, 0x28, 0x88) == width
            and _bracket(text, end - width, end, 0x29, 0x89) == width
        ):
            return start, _right(text, start, mark), True
    return start, end, False


@njit
def _known(text, start, end, names, ends, count, whole):  # type: ignore[no-untyped-def]
    """Whether the name is one of ``names``, or (unless ``whole``) begins with one."""
    begin = 0
    for i in range(count):
        if (not whole or ends[i] - begin == end - start) and _begins(text, start, end, names, begin, ends[i]):
            return True
        begin = ends[i]
    return False


@njit
def _other_shop(text, start, end):  # type: ignore[no-untyped-def]
    """Whether a name reads shop:agent; a blank at the colon makes it a phrase, and so does its length."""
    characters, colon = 0, -1
    for place in range(start, end):
        characters += text[place] & 0xC0 != 0x80
        if colon < 0 and text[place] == 0x3A:
            colon = place
    if characters > _LONGEST_ACCOUNT or colon <= start or colon + 1 >= end:
        return False
    if text[colon + 1] == 0x3A or _space_at(text, colon + 1, end) > 0:
        return False
    return _right(text, start, colon) == colon


@njit
def _body(text, start, end):  # type: ignore[no-untyped-def]
    """Begin of a text and whether it is marked: two blanks before words, one before placeholders (formats 1.1)."""
    if start < end and text[start] == 0x20:
        start += 1
        if start < end and text[start] == 0x20:
            start += 1
    size = _MARK_SIZE
    if end - start >= size + 2 and _is_mark(text, start + 1, end):
        opening, closing = text[start], text[start + size + 1]
        if (opening == 0x5B and closing == 0x5D) or (opening == 0x28 and closing == 0x29):
            start += size + 2
            return start + _run(text, start, end, 0x20), True
    return start, False


@njit
def _view(views, row, text, start, end):  # type: ignore[no-untyped-def]
    """Write an Arrow string view: up to 12 bytes themselves, else four of them and the place of all."""
    length = end - start
    word = word_at(text, start)
    if length > 12:
        # A buffer of a view is addressed by 31 bits: buffer i begins at i GiB.
        rest = _U(start >> _VIEW_SHIFT) | (_U(start & ((1 << _VIEW_SHIFT) - 1)) << _U(32))
    elif length > 8:
        rest = (word >> _U(32)) | ((word_at(text, start + 8) & _low(length - 8)) << _U(32))
    else:
        if length < 8:
            word &= _low(length)
        rest = word >> _U(32)
    views[2 * row] = _U(length) | (word << _U(32))
    views[2 * row + 1] = rest


@njit(
    [(_BUFFER, types.int64, types.int64, types.int64, types.int64, _BYTES, _I64, _BYTES, _I64)],
    cache=True,
    nogil=True,
)
def _scan(buffer, size, start, number, lines, accounts_of, account_ends_of, prefixes_of, prefix_ends_of):  # type: ignore[no-untyped-def]
    text = pointer(buffer)
    accounts, account_ends, staff = pointer(accounts_of), pointer(account_ends_of), account_ends_of.size
    prefixes, prefix_ends, shops = pointer(prefixes_of), pointer(prefix_ends_of), prefix_ends_of.size
    lines_of = np.empty(lines, np.int64)
    blocks_of = np.empty(lines, np.int64)
    moments_of = np.empty(lines, np.int64)
    autos_of = np.empty(lines, np.uint8)
    buyers_of = np.empty(2 * lines, np.uint64)
    senders_of = np.empty(2 * lines, np.uint64)
    texts_of = np.empty(2 * lines, np.uint64)
    rejected_lines = np.empty(lines, np.int64)
    rejected_reasons = np.empty(lines, np.int64)
    rejected_texts_of = np.empty(2 * lines, np.uint64)
    buyers, senders, texts = pointer(buyers_of), pointer(senders_of), pointer(texts_of)
    rejected_texts = pointer(rejected_texts_of)
    messages, rejects, group_lines, quoted, backwards = 0, 0, 0, 0, 0

    buyer, buyer_end, has_buyer = 0, 0, False
    block = 0
    group = False
    last = -1  # time of the message before, in this block
    reason = _OUTSIDE  # why a line is rejected while no message is open
    is_open = False
    words, words_end, put = 0, 0, 0  # text of the open message, and where its last line ends
    skip = 0  # lines of a section title
    number -= 1
    following = start
    while following <= size:
        begin = following
        number += 1
        if skip > 0:
            skip -= 1
            following = _line_end(text, begin, size) + 1
            continue
        first = text[begin] if begin < size else np.uint8(10)
        if first == 0x3D:
            end = _line_end(text, begin, size)
            if _is_rule(text, begin, end) and end < size:
                title_end = _line_end(text, end + 1, size)
                title = _left(text, end + 1, title_end)
                title_stop = _right(text, title, title_end)
                single = title_stop - title == 6 and _is_at(text, title, title_stop, _SINGLE, 6)
                several = title_stop - title == 6 and _is_at(text, title, title_stop, _GROUP, 6)
                if single or several:
                    if is_open:
                        _view(texts, messages - 1, text, words, words_end)
                    group = several
                    has_buyer, is_open, reason = False, False, _OUTSIDE
                    skip = 1
                    if title_end < size and _is_rule(
                        text, title_end + 1, _line_end(text, title_end + 1, size)
                    ):
                        skip = 2
                    following = end + 1
                    continue
        if group:
            end = _line_end(text, begin, size)
            group_lines += _left(text, begin, end) < end
            following = end + 1
            continue
        if first == 0x2D:
            end = _line_end(text, begin, size)
            nick, nick_end = _nick(text, begin, end)
            if nick >= 0:
                nick = _plain(text, nick, nick_end)
                dashed = nick < nick_end and (text[nick] == 0x2D or text[nick_end - 1] == 0x2D)
                if not dashed or _speaks(text, size, end + 1, nick, nick_end):
                    if is_open:
                        _view(texts, messages - 1, text, words, words_end)
                    block += 1
                    buyer, buyer_end, has_buyer = nick, nick_end, True
                    last, is_open, reason = -1, False, _BEFORE_FIRST
                    following = end + 1
                    continue

        # The shortest plausible sender wins, and surely known senders go before other shops.
        certain, possible, looks, marked = False, False, False, False
        sender, sender_end, stamp, body = 0, 0, 0, 0
        end = begin
        while has_buyer and not certain:
            end = _line_end_or_bracket(text, end, size)
            if end == size or text[end] == 10:
                break
            found, after = _tail(text, end, size)
            if found >= 0 and end > begin:
                looks = True
                who, who_end, mark = _sender(text, begin, end)
                name = _plain(text, who, who_end)
                certain = (
                    who_end - name == buyer_end - buyer
                    and _begins(text, name, who_end, text, buyer, buyer_end)
                ) or (
                    _known(text, name, who_end, prefixes, prefix_ends, shops, False)
                    or _known(text, name, who_end, accounts, account_ends, staff, True)
                )
                if certain or (not possible and _other_shop(text, name, who_end)):
                    possible = True
                    sender, sender_end, marked, stamp, body = who, who_end, mark, found, after
            end += 1
        end = _line_end(text, end, size)
        following = end + 1

        why = reason
        if possible:
            moment = _instant(text, stamp)
            if moment < 0:
                if is_open:
                    _view(texts, messages - 1, text, words, words_end)
                is_open, reason = False, _IMPOSSIBLE
                rejected_lines[rejects], rejected_reasons[rejects] = number, reason
                _view(rejected_texts, rejects, text, begin, end)
                rejects += 1
                continue
            if moment >= last - _SKEW_S:
                if is_open:
                    _view(texts, messages - 1, text, words, words_end)
                words, body_marked = _body(text, body, end)
                words_end = put = end
                lines_of[messages], blocks_of[messages], moments_of[messages] = number, block, moment
                autos_of[messages] = marked or body_marked
                _view(buyers, messages, text, buyer, buyer_end)
                _view(senders, messages, text, sender, sender_end)
                messages += 1
                last, is_open = max(moment, last), True
                continue
            backwards += 1
        elif looks:
            quoted += is_open
            if reason == _BEFORE_FIRST:
                why = _STRANGER
        if first == 0x32 and _stamp(text, begin, end) and _right(text, begin, end) == begin + _STAMP:
            continue  # an isolated time is noise of the client, not text
        blank = _left(text, begin, end) == end
        if is_open:
            if put + 1 != begin:
                text[put] = 10
                for i in range(end - begin):
                    text[put + 1 + i] = text[begin + i]
            put += 1 + end - begin
            if not blank:  # blank lines at the end are layout
                words_end = put
        elif not blank:
            rejected_lines[rejects], rejected_reasons[rejects] = number, why
            _view(rejected_texts, rejects, text, begin, end)
            rejects += 1
    if is_open:
        _view(texts, messages - 1, text, words, words_end)
    return (
        (lines_of, blocks_of, moments_of, autos_of, rejected_lines, rejected_reasons),
        (buyers_of, senders_of, texts_of, rejected_texts_of),
        (messages, rejects, group_lines, quoted, backwards),
    )
