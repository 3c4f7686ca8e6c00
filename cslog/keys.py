"""Stable 64-bit keys: the same in every release and on every machine (Polars' own hashes are not)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

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
    """xxh3 of each text, as Int64; a null is empty."""
    from cslog.scan import columns, hashing

    return pl.Series("hash", hashing.xxh3(columns.rows_of(texts)))


def account_keys(names: Iterable[str]) -> np.ndarray:
    """Keys of account names, int64."""
    from cslog.scan import addresses, hashing

    return hashing.xxh3(addresses.copied(names))


def with_account_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with the columns of ACCOUNT_KEYS; NOBODY where the name is null."""
    columns: dict[str, pl.Expr | pl.Series] = {}
    for key, name in ACCOUNT_KEYS.items():
        names = frame[name]
        if names.null_count() == len(names):
            columns[key] = pl.lit(NOBODY, pl.Int64)
        else:
            columns[key] = hashes(names).zip_with(names.is_not_null(), pl.Series([NOBODY]))
    return frame.with_columns(**columns)
