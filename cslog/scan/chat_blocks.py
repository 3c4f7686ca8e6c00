"""One pass over the bytes of a Txt export of the message manager (formats 1.1), for cslog.readers.qn_txt.

What the format means is said there. Here: lines, contact lines, senders, times and texts found in UTF-8 without a
Python object per line. Names and texts are given as Arrow string views (length, then the bytes themselves or their
place), so no text is copied. The one thing moved are lines of a text behind a line that is left out of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, types

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

_RULE, _DASHES = 64, 28
_MARK = np.frombuffer("自动回复".encode(), np.uint8)
_SINGLE = np.frombuffer("单聊".encode(), np.uint8)
_GROUP = np.frombuffer("群聊".encode(), np.uint8)
_TAOBAO = np.frombuffer(b"cntaobao", np.uint8)
_ALICHN = np.frombuffer(b"cnalichn", np.uint8)
_TAIL_FORM = np.frombuffer(b"0000-00-00 00:00:00", np.uint8)  # 0 stands for any digit
_VIEW_SHIFT = 30


class Blocks(NamedTuple):
    """What the single chats of a file hold. Views are (rows, 4) uint32, see ``views_of``."""

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

    ``accounts`` are names that speak for the shop, ``shops`` names of which ``shop:…`` does. ``text`` is changed.
    """
    columns, counts = _scan(
        np.frombuffer(text, np.uint8),
        start,
        line,
        *_packed(accounts),
        *_packed([f"{shop}:" for shop in shops]),
    )
    messages, rejects, *rest = (int(count) for count in counts)
    kept = [column[:messages] for column in columns[:7]] + [column[:rejects] for column in columns[7:]]
    return Blocks(*kept, *rest)


def _packed(names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The names in UTF-8 behind one another, and where each ends."""
    encoded = [name.encode() for name in names]
    return np.frombuffer(b"".join(encoded), np.uint8), np.cumsum(
        [len(name) for name in encoded], dtype=np.int64
    )


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
def _begins(text, place, end, other, begin, stop):  # type: ignore[no-untyped-def]
    """Whether the bytes from ``place`` to ``end`` begin with those of ``other`` from ``begin`` to ``stop``.

    By places: numba counts references to every slice of an array.
    """
    if end - place < stop - begin:
        return False
    for i in range(stop - begin):  # noqa: SIM110 (numba)
        if text[place + i] != other[begin + i]:
            return False
    return True


@njit
def _is_at(text, place, end, words):  # type: ignore[no-untyped-def]
    """Whether ``words`` stand at ``place`` before ``end``."""
    return _begins(text, place, end, words, 0, words.size)


@njit
def _run(text, place, end, byte):  # type: ignore[no-untyped-def]
    """How often ``byte`` stands at ``place`` in a row."""
    count = 0
    while place + count < end and text[place + count] == byte:
        count += 1
    return count


@njit
def _line_end(text, place, size):  # type: ignore[no-untyped-def]
    while place < size and text[place] != 10:
        place += 1
    return place


@njit
def _plain(text, start, end):  # type: ignore[no-untyped-def]
    """Where a name begins without its long-id prefix (formats 6)."""
    if end - start > 8 and (_is_at(text, start, end, _TAOBAO) or _is_at(text, start, end, _ALICHN)):
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
def _stamp(text, place, end):  # type: ignore[no-untyped-def]
    """Whether a date and a time in digits (``0000-00-00 00:00:00``) stand at ``place``."""
    if end - place < _TAIL_FORM.size:
        return False
    for i in range(_TAIL_FORM.size):
        byte, form = text[place + i], _TAIL_FORM[i]
        if form == 0x30:
            if byte < 0x30 or byte > 0x39:
                return False
        elif byte != form:
            return False
    return True


@njit
def _tail(text, place, end):  # type: ignore[no-untyped-def]
    """Begin of the stamp and end of ``(stamp):``, what stands between a sender and his text; or -1, -1."""
    stamp = place + _bracket(text, place, end, 0x28, 0x88)
    if stamp == place or not _stamp(text, stamp, end):
        return -1, -1
    place = stamp + _TAIL_FORM.size
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
    for width in (1, 3):
        mark = end - _MARK.size - 2 * width
        if (
            mark > start
            and _is_at(text, mark + width, end, _MARK)
            and _bracket(text, mark, end, 0x28, 0x88) == width
            and _bracket(text, end - width, end, 0x29, 0x89) == width
        ):
            return start, _right(text, start, mark), True
    return start, end, False


@njit
def _known(text, start, end, accounts, account_ends, prefixes, prefix_ends):  # type: ignore[no-untyped-def]
    """Whether the name is one of ``accounts`` or begins with one of ``prefixes``."""
    begin = 0
    for stop in prefix_ends:
        if _begins(text, start, end, prefixes, begin, stop):
            return True
        begin = stop
    begin = 0
    for stop in account_ends:
        if stop - begin == end - start and _begins(text, start, end, accounts, begin, stop):
            return True
        begin = stop
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
    size = _MARK.size
    if end - start >= size + 2 and _is_at(text, start + 1, end, _MARK):
        opening, closing = text[start], text[start + size + 1]
        if (opening == 0x5B and closing == 0x5D) or (opening == 0x28 and closing == 0x29):
            start += size + 2
            return start + _run(text, start, end, 0x20), True
    return start, False


@njit
def _view(views, row, text, start, end):  # type: ignore[no-untyped-def]
    """Write an Arrow string view: up to 12 bytes themselves, else four of them and the place of all."""
    length = end - start
    views[row, 0] = length
    inline = length if length <= 12 else 4
    for word in range(3):
        value = np.uint32(0)
        for i in range(4 * word, min(4 * word + 4, inline)):
            value |= np.uint32(text[start + i]) << np.uint32(8 * (i - 4 * word))
        views[row, 1 + word] = value
    if length > 12:
        # A buffer of a view is addressed by 31 bits: buffer i begins at i GiB.
        views[row, 2] = start >> _VIEW_SHIFT
        views[row, 3] = start & ((1 << _VIEW_SHIFT) - 1)


@njit([(_BUFFER, types.int64, types.int64, _BYTES, _I64, _BYTES, _I64)], cache=True, nogil=True)
def _scan(text, start, number, accounts, account_ends, prefixes, prefix_ends):  # type: ignore[no-untyped-def]
    size = text.size
    lines = 1
    for place in range(start, size):
        lines += text[place] == 10
    line = np.empty(lines, np.int64)
    blocks = np.empty(lines, np.int64)
    sent = np.empty(lines, np.int64)
    auto = np.empty(lines, np.uint8)
    buyers = np.empty((lines, 4), np.uint32)
    senders = np.empty((lines, 4), np.uint32)
    texts = np.empty((lines, 4), np.uint32)
    rejected_line = np.empty(lines, np.int64)
    rejected_reason = np.empty(lines, np.int64)
    rejected_text = np.empty((lines, 4), np.uint32)
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
                single = title_stop - title == _SINGLE.size and _is_at(text, title, title_stop, _SINGLE)
                several = title_stop - title == _GROUP.size and _is_at(text, title, title_stop, _GROUP)
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
        while has_buyer and not certain and end < size and text[end] != 10:
            byte = text[end]
            if byte == 0x28 or (byte == 0xEF and text[end + 2] == 0x88):
                found, after = _tail(text, end, size)
                if found >= 0 and end > begin:
                    looks = True
                    who, who_end, mark = _sender(text, begin, end)
                    name = _plain(text, who, who_end)
                    certain = (
                        who_end - name == buyer_end - buyer
                        and _begins(text, name, who_end, text, buyer, buyer_end)
                    ) or _known(text, name, who_end, accounts, account_ends, prefixes, prefix_ends)
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
                rejected_line[rejects], rejected_reason[rejects] = number, reason
                _view(rejected_text, rejects, text, begin, end)
                rejects += 1
                continue
            if moment >= last - _SKEW_S:
                if is_open:
                    _view(texts, messages - 1, text, words, words_end)
                words, body_marked = _body(text, body, end)
                words_end = put = end
                line[messages], blocks[messages], sent[messages] = number, block, moment
                auto[messages] = marked or body_marked
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
        if first == 0x32 and _stamp(text, begin, end) and _right(text, begin, end) == begin + _TAIL_FORM.size:
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
            rejected_line[rejects], rejected_reason[rejects] = number, why
            _view(rejected_text, rejects, text, begin, end)
            rejects += 1
    if is_open:
        _view(texts, messages - 1, text, words, words_end)
    return (
        (line, blocks, sent, auto, buyers, senders, texts, rejected_line, rejected_reason, rejected_text),
        (messages, rejects, group_lines, quoted, backwards),
    )
