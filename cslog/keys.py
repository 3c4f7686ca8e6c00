"""Stable 64-bit keys: the same in every release and on every machine (Polars' own hashes are not)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl
import xxhash

NOBODY = 0
"""Key of a missing account; no name hashes to it in practice, and one that did would be nobody."""

ACCOUNT_KEYS: Mapping[str, str] = {
    "shop_key": "shop",
    "agent_key": "agent",
    "exporter_key": "exporter",
    "transfer_from_key": "transfer_from",
    "transfer_to_key": "transfer_to",
}
"""Columns of account keys that the store keeps beside the columns of names they are made from: reports read
integers, people read names."""


def hashes(texts: pl.Series) -> pl.Series:
    """xxh3 of each text, as Int64."""
    digest = xxhash.xxh3_64_intdigest
    values = np.fromiter((digest(text.encode()) for text in texts), dtype=np.uint64, count=len(texts))
    return pl.Series("hash", values.view(np.int64))


def account_keys(names: Iterable[str]) -> np.ndarray:
    """Keys of account names, int64."""
    return hashes(pl.Series(list(names), dtype=pl.String)).to_numpy()


def with_account_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with the columns of ACCOUNT_KEYS; NOBODY where the name is null."""
    columns = {}
    for key, name in ACCOUNT_KEYS.items():
        names = frame[name].unique().drop_nulls()
        columns[key] = frame[name].replace_strict(
            names, account_keys(names), default=NOBODY, return_dtype=pl.Int64
        )
    return frame.with_columns(**columns)
