"""Every byte of a store, looked through: what is left of somebody who was forgotten."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def spellings(word: str) -> set[bytes]:
    """A word as files may hold it."""
    return {
        word.encode("utf-8"),
        word.encode("gb18030"),
        word.encode("utf-16-le"),
        json.dumps(word)[1:-1].encode(),
        "".join(f"%{byte:02X}" for byte in word.encode("utf-8")).encode(),
    }


def places(folder: Path, words: Iterable[str], keys: Iterable[int] = ()) -> list[str]:
    """Where below ``folder`` any of the words or 64-bit keys stands: in a name, in bytes, in a column, in a footer."""
    words, keys = sorted(set(words)), sorted(set(keys))
    wanted = {spelling for word in words for spelling in spellings(word)}
    wanted |= {str(key).encode() for key in keys} | {struct.pack("<q", key) for key in keys}
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if any(word in name for word in words):
            found.append(f"{name}: its name")
        if not path.is_file():
            continue
        content = path.read_bytes()
        found += [f"{name}: bytes {one!r}" for one in wanted if one in content]
        if path.suffix == ".parquet":
            found += [f"{name}: {what}" for what in _in_parquet(path, words, set(keys))]
    return found


def _in_parquet(path: Path, words: list[str], keys: set[int]) -> Iterable[str]:
    file = pq.ParquetFile(path)
    for group in range(file.metadata.num_row_groups):
        for number in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(number)
            noted = column.statistics
            if noted is not None and noted.has_min_max:
                yield from (
                    f"statistics of {column.path_in_schema}"
                    for value in (noted.min, noted.max)
                    if _tells(value, words, keys)
                )
    for name, column in zip(file.schema_arrow.names, file.read().columns, strict=True):
        for value in column.to_pylist():
            if _tells(value, words, keys):
                yield f"column {name}"
                break


def _tells(value, words: list[str], keys: set[int]) -> bool:
    match value:
        case str():
            return any(word in value for word in words)
        case bytes():
            if value.startswith(b"ARROW1"):
                table = pa.ipc.open_file(value).read_all()
                return _tells(table.to_pylist(), words, keys)
            return any(spelling in value for word in words for spelling in spellings(word))
        case dict():
            return any(_tells(one, words, keys) for one in (*value, *value.values()))
        case list():
            return any(_tells(one, words, keys) for one in value)
        case int():
            return value in keys
    return False
