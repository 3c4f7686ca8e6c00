"""The days of agents that facts are added up by."""

import numpy as np
import polars as pl

from cslog.clock import Period
from cslog.counted import Cells
from cslog.names import Names
from cslog.row_keys import RowKeys
from cslog.split import Split


def test_days_of_agents_stay_apart_however_many_shops_accounts_and_days_there_are():
    names = Names(
        pl.Series([f"客服{i:05}" for i in range(40_000)]), pl.Series([f"店铺{i:03}" for i in range(300)])
    )
    period = Period(19_000, 20_095)
    keys = RowKeys(Split(("agent",), period, 0), names)
    shop = np.array([0, 299, 299, 150, 299, 299], np.int32)
    agent = np.array([-1, 39_999, 39_998, 20_000, 39_999, 39_999], np.int32)
    day = np.array([19_000, 20_095, 20_095, 19_500, 20_095, 20_096], np.int64)
    cells = Cells.of(keys, shop, agent, day)
    inside = np.arange(5)
    assert cells.of_peer_day[5] == -1
    for column, of_cell in ((shop, cells.shop), (agent, cells.agent), (day, cells.day)):
        assert of_cell[cells.of_peer_day[inside]].tolist() == column[inside].tolist()
    assert cells.of_peer_day[1] == cells.of_peer_day[4]
    assert len(set(cells.of_peer_day[:4].tolist())) == 4
