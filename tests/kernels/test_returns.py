"""Who wrote to a buyer again, over runs of rows as the store's files hold them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cslog.kernels import returns

ROLES = np.array([0, 1, 2, 3], np.int8)
keys = st.integers(-3, 3)
pairs = st.lists(st.tuples(keys, st.integers(1, 3)), max_size=12).map(sorted)
later_rows = st.tuples(keys, st.integers(0, 3), st.integers(0, 3))
runs = st.lists(
    st.lists(later_rows, max_size=8).map(lambda rows: sorted(rows, key=lambda row: row[0])), max_size=4
)


@settings(max_examples=200)
@given(pairs, runs)
def test_a_pair_is_met_again_by_a_valid_message_of_its_agent(pairs, runs):
    rows = [row for run in runs for row in run]
    offsets = np.cumsum([0, *map(len, runs)]).astype(np.int64)
    buyer, agent = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    columns = (np.array([row[i] for row in rows], t) for i, t in ((0, np.int64), (1, np.int64), (2, np.int8)))
    found = returns.met_again(buyer, agent, offsets, *columns, ROLES)
    assert found.tolist() == [(*pair, 1) in rows for pair in pairs]
