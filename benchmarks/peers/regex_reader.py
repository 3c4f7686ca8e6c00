"""What a script would do with a folder of Txt exports: ``python -m benchmarks.peers.regex_reader FOLDER OUT``.

One regular expression splits each file, and the messages are written as they stand, one Parquet file for each export
(zstd 1). No copies are recognised, nobody's role is known, nothing is put in order. Prints ``messages_read`` as JSON.
"""

from __future__ import annotations

import datetime
import json
import re
import shutil
import sys
from pathlib import Path

import polars as pl

_MARK = re.compile(
    r"^-{28}(?P<buyer>.+?)-{28}$|^(?P<sender>[^\n]+?)\((?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\):",
    re.MULTILINE,
)
_EPOCH = datetime.datetime(1970, 1, 1)
_SECOND = datetime.timedelta(seconds=1)


def read(path: Path) -> pl.DataFrame:
    """The messages of an export: buyer, sender, second, text."""
    text = path.read_bytes().decode("gb18030").replace("\r\n", "\n")
    buyers, senders, seconds, texts = [], [], [], []
    buyer, begin = "", -1
    for mark in _MARK.finditer(text):
        if begin >= 0:
            texts.append(text[begin : mark.start()].strip())
        begin = -1
        if mark["buyer"]:
            buyer = mark["buyer"]
        else:
            buyers.append(buyer)
            senders.append(mark["sender"])
            seconds.append((datetime.datetime.fromisoformat(mark["at"]) - _EPOCH) // _SECOND)
            begin = mark.end()
    if begin >= 0:
        texts.append(text[begin:].strip())
    return pl.DataFrame({"buyer": buyers, "sender": senders, "sent_at": seconds, "text": texts})


def main(folder: Path, out: Path) -> None:
    """Read and write every file."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    count = 0
    for number, path in enumerate(sorted(folder.rglob("*.txt"))):
        messages = read(path)
        messages.write_parquet(out / f"{number}.parquet", compression="zstd", compression_level=1)
        count += messages.height
    print(json.dumps({"messages_read": count}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
