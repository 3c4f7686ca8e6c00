"""The compiled loops over bytes between pages that nobody may touch: what reads or writes a byte too far ends the program.

    PYTHONPATH=. .venv/bin/python -m tests.stress.guarded --seconds 60 --seed 1

Loops of cslog.scan work with pointers, for which numba checks no bounds, not even with NUMBA_BOUNDSCHECK: a wrong place
would be silent damage somewhere else. Here every input and output lies directly in front of a locked page, or directly
behind one. Results are compared with those of ordinary memory. Prints how many inputs it tried.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import random
import sys
import time

import numpy as np

from cslog.scan import chat_blocks, encodings, hashing, texts
from tests.stress import exports

PAGE = mmap.PAGESIZE
_LOCKED, _OPEN = 0, 3
_MPROTECT = ctypes.CDLL(None, use_errno=True).mprotect
_MPROTECT.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class Guarded:
    """Memory for so many bytes between two locked pages; used again and again, since locking pages is slow."""

    def __init__(self, most: int) -> None:
        self.inner = -(-most // PAGE) * PAGE
        self._map = mmap.mmap(-1, self.inner + 2 * PAGE)
        self._begin = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        for place in (self._begin, self._begin + PAGE + self.inner):
            if _MPROTECT(place, PAGE, _LOCKED):
                raise OSError(ctypes.get_errno(), "mprotect")
        self._bytes = np.frombuffer(self._map, np.uint8)

    def array(self, size: int, at_end: bool) -> np.ndarray:
        """``size`` bytes in front of the upper page, or behind the lower one."""
        begin = PAGE + (self.inner - size if at_end else 0)
        return self._bytes[begin : begin + size]

    def holding(self, data: bytes, at_end: bool) -> np.ndarray:
        """The same with these bytes in it."""
        found = self.array(len(data), at_end)
        found[:] = np.frombuffer(data, np.uint8)
        return found


MOST = 1 << 17
_IN, _OUT = Guarded(MOST), Guarded(2 * MOST)


def check_decoding(data: bytes) -> None:
    """Bytes to UTF-8 and to Unix lines, into outputs that are not a byte larger than cslog makes them."""
    two, four = encodings._tables()
    for at_end in (True, False):
        given = _IN.holding(data, at_end)
        for unix_lines in (True, False):
            known = encodings.utf8_of_gb18030(data, unix_lines=unix_lines)
            returns = encodings._returns(data) if unix_lines else encodings._KEEP
            out = _OUT.array(len(data) // 2 * 3 + 9, at_end)
            size = encodings._transcode(given, two, four, returns, out)
            assert (known is None) == (size < 0)
            assert known is None or out[:size].tobytes() == known
        out = _OUT.array(len(data), at_end)
        size = encodings._unix_lines(given, encodings._returns(data), out)
        assert out[:size].tobytes() == encodings.unix_lines(data)
        assert tuple(map(int, encodings._faults(given))) == encodings.utf8_faults(data)


def check_scan(text: bytes, accounts: list[str], shops: list[str]) -> None:
    """A whole export, with no more behind it than the padding that it asks for."""
    known = chat_blocks.scan(bytearray(text), 0, 1, accounts, shops)
    prefixes = [f"{shop}:" for shop in shops]
    for at_end in (True, False):
        buffer = _IN.holding(text + bytes(chat_blocks.PADDING), at_end)
        packed = (*chat_blocks._packed(accounts), *chat_blocks._packed(prefixes))
        lines = 1 + text.count(b"\n")
        columns, views, counts = chat_blocks._scan(buffer, len(text), 0, 1, lines, *packed)
        messages, rejects = int(counts[0]), int(counts[1])
        assert (messages, rejects) == (len(known.line), len(known.rejected_line))
        assert columns[0][:messages].tolist() == known.line.tolist()
        assert columns[2][:messages].tolist() == known.sent_at.tolist()
        for mine, theirs in zip(
            views, (known.buyer, known.sender, known.text, known.rejected_text), strict=True
        ):
            assert mine[: len(theirs)].tolist() == theirs.tolist()
        # Views lie inside of the text.
        for view in (known.buyer, known.sender, known.text, known.rejected_text):
            length, rest = (view[0::2] & np.uint64(0xFFFFFFFF)).astype(np.int64), view[1::2] >> np.uint64(32)
            assert not ((length > 12) & (rest.astype(np.int64) + length > len(text))).any()


def check_texts(strings: list[bytes], marks: np.ndarray) -> None:
    """What is counted, compared and hashed of each text alone, its last byte the last one there is."""
    lanes = np.empty(hashing.LANES, np.uint64)
    openings, closings = texts.openings([b"<abc>", b"[ab"]), texts.closings([b".amr", b"]"])
    for string in strings:
        size = np.array([len(string)], np.int32)
        ordinary = np.frombuffer(string + bytes(64), np.uint8)
        found = []
        for memory in (ordinary, _IN.holding(string, True), _IN.holding(string, False)):
            address = np.array([memory.ctypes.data], np.int64)
            kept, places = texts.kept(address, size, marks)
            found.append(
                (
                    hashing._xxh3(address, size, np.empty(0, np.uint8), 0, lanes).tolist(),
                    texts.that_look_like(address, size, *openings, *closings).tolist(),
                    kept.tobytes(),
                    places.tolist(),
                )
            )
        assert found[0] == found[1] == found[2]


def check(data: bytes) -> None:
    """All of it for one export."""
    data = data[: MOST // 2]
    check_decoding(data)
    text = data.decode("utf-8", errors="replace").encode()[:MOST]
    check_scan(bytes(encodings.unix_lines(text))[: MOST - 64], ["店小二", "", "a" * 70], ["某旗舰店", "店"])
    marks = np.full(0x10000, texts.VISIBLE | texts.KEPT, np.uint8)
    check_texts([line for line in text.split(b"\n") if line][:40] + [b""], marks)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    chance, tried = random.Random(chosen.seed), 0
    end = time.monotonic() + chosen.seconds
    while time.monotonic() < end or tried < 50:
        check(exports.damaged(exports.made(chance), chance))
        tried += 1
    sys.stdout.write(f"{tried} exports between locked pages: no byte read or written outside\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
