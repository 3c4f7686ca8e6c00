"""Accounts and shops as numbers: everything between the store and the report's rows runs over codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from cslog import keys
from cslog.kernels import gather


@dataclass(frozen=True, eq=False)
class Names:
    """Accounts and shops by code. Codes ascend with the names, so that every order by code is one by name."""

    accounts: pl.Series
    shops: pl.Series

    @classmethod
    def of(cls, accounts: pl.Series, shops: list[str]) -> Names:
        """All ``accounts``, the shops' own among them, and the ``shops`` that are asked for."""
        wanted = pl.Series("shop", sorted(shops), dtype=pl.String)
        known = pl.concat([accounts.rename("agent"), wanted.rename("agent")]).drop_nulls().unique().sort()
        return cls(known, wanted)

    @cached_property
    def account_keys(self) -> np.ndarray:
        """Keys of accounts by code, int64."""
        return keys.account_keys(self.accounts)

    @cached_property
    def account_slots(self) -> gather.Slots:
        """Codes of accounts by key."""
        return _slots(self.account_keys)

    @cached_property
    def shop_slots(self) -> gather.Slots:
        """Codes of shops by key."""
        return _slots(keys.account_keys(self.shops))

    @cached_property
    def main_of_shop(self) -> np.ndarray:
        """The account code of each shop's main account; int32."""
        return self.codes_of(self.shops)

    def agents(self, codes: np.ndarray) -> pl.Series:
        """Names of account codes, null for negative ones."""
        return _taken(self.accounts, codes)

    def shop_names(self, codes: np.ndarray) -> pl.Series:
        """Names of shop codes."""
        return _taken(self.shops, codes)

    def codes_of(self, accounts: pl.Series) -> np.ndarray:
        """Codes of account names, -1 for null and for unknown ones; int32."""
        return _codes(accounts, self.accounts)

    def shop_codes(self, shops: pl.Series) -> np.ndarray:
        """Codes of shop names, -1 for those that are not asked for; int32."""
        return _codes(shops, self.shops)


def _slots(by_code: np.ndarray) -> gather.Slots:
    return gather.Slots(*gather.slots_of(by_code, np.arange(by_code.size, dtype=np.int32)))


def _taken(names: pl.Series, codes: np.ndarray) -> pl.Series:
    positions = pl.Series(codes, dtype=pl.Int64)
    return names.gather(positions.set(positions < 0, None))


def _codes(names: pl.Series, known: pl.Series) -> np.ndarray:
    codes = pl.int_range(len(known), dtype=pl.Int32, eager=True)
    if not len(known):
        return np.full(len(names), -1, np.int32)
    found = names.replace_strict(known, codes, default=-1, return_dtype=pl.Int32)
    return np.ascontiguousarray(found.fill_null(-1).to_numpy(), dtype=np.int32)
