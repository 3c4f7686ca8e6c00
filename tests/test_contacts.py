"""Digests of who wrote to whom: nothing is ever missed, little is found that is not there."""

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cslog import contacts, ingest
from cslog.config import Config
from cslog.schema import MessageClass
from cslog.store import Store

SAMPLE = Path(__file__).parent.parent / "sample_logs"

keys = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
rows = st.lists(st.tuples(keys, keys, st.sampled_from(MessageClass)), max_size=40)


def columns(rows):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(contacts.COLUMNS, pl.Int64), orient="row")
    return frame.with_columns(pl.col("message_class").cast(pl.Int8))


@settings(max_examples=200)
@given(rows)
def test_every_message_of_staff_is_found_again_through_the_note(rows):
    digest = contacts.noted(contacts.note_of(columns(rows)))
    met = [row for row in rows if row[2] in (MessageClass.HUMAN, MessageClass.ASSIST)]
    buyer, agent = (np.array([row[i] for row in met], np.int64) for i in (0, 1))
    assert contacts.may_hold(digest, buyer, agent).all()


def test_few_pairs_are_found_that_are_not_there():
    random = np.random.default_rng(5)
    buyer = np.sort(random.integers(-(2**62), 2**62, 60_000))
    agent = random.integers(0, 30, buyer.size)
    written = contacts.digest_of(
        {"buyer_key": buyer, "agent_key": agent, "message_class": np.full(buyer.size, MessageClass.HUMAN)}
    )
    assert contacts.may_hold(written, buyer, agent).all()
    assert contacts.may_hold(written, buyer, agent + 30).mean() < 0.03
    assert contacts.may_hold(written, buyer + 1, agent).mean() < 0.03
    by_buyers = {
        "buyer_key": buyer,
        "agent_key": agent,
        "message_class": np.full(buyer.size, MessageClass.BUYER),
    }
    assert not contacts.may_hold(contacts.digest_of(by_buyers), buyer, agent).any()


def test_every_file_of_messages_has_its_note(tmp_path):
    store = Store(tmp_path / "store")
    ingest.ingest([str(SAMPLE)], store, Config())
    parts = store.snapshot().parts("messages")
    for part in parts:
        rows = pl.read_parquet(part.path)
        note = part.note(contacts.NOTE)
        assert note is not None
        assert note == contacts.note_of({name: rows[name].to_numpy() for name in contacts.COLUMNS})
    assert len(parts) > 1
