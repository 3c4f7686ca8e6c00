"""The store is a set that only grows: union, refinement, versions, crashes and two writers at once."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import tempfile
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from cslog import clock, copies, keys, schema, tables
from cslog import store as store_module
from cslog.coded import Coded
from cslog.errors import StoreError, UsageError
from cslog.order_versions import fold_orders
from cslog.schema import Kind, MessageClass, OrderState
from cslog.snapshot import LAYOUTS, LEDGER
from cslog.store import Store, Writer, ledger_row

NOON = clock.parse_instant("2024-11-11T12:00:00", "")
ALWAYS = (NOON - 400 * clock.DAY_SECONDS, NOON + 400 * clock.DAY_SECONDS)
FIGURES = [
    "buyer_key",
    "sent_at",
    "message_key",
    "occurrence",
    "rank",
    "message_class",
    "agent",
    "characters",
]
"""What a report can see of a message, its exporter apart."""


def message(key: int = 1, at: int = NOON, **more) -> dict:
    """One row of schema.MESSAGES: a buyer's text without a stated agent."""
    return dict.fromkeys(schema.MESSAGES) | {
        "month": clock.month_label(at // clock.DAY_SECONDS),
        "platform": "taobao",
        "shop": "某旗舰店",
        "buyer": "buyer_a",
        "buyer_key": 7,
        "sent_at": at,
        "rank": 0,
        "message_class": int(MessageClass.BUYER),
        "kind": int(Kind.TEXT),
        "characters": 2,
        "sender": "buyer_a",
        "text": "在吗",
        "rule": "sender",
        "message_key": key,
        "occurrence": 0,
        "refines": False,
        "source_file": "a.txt",
        "source_line": 8,
        **more,
    }


def order(number: str = "1", content: int = 1, **more) -> dict:
    """One row of schema.ORDERS: a version of an order that is not paid yet."""
    return dict.fromkeys(schema.ORDERS) | {
        "month": "2024-11",
        "platform": "taobao",
        "shop": "某旗舰店",
        "order_id": number,
        "buyer": "buyer_a",
        "buyer_key": 7,
        "joinable": True,
        "created_at": NOON,
        "state": int(OrderState.WAIT_PAY),
        "amount_cents": 100,
        "refund_cents": 0,
        "items": 1,
        "content_key": content,
        "source_file": "orders.csv",
        "source_line": 2,
        **more,
    }


def frame(*rows: dict, columns: schema.Schema = schema.MESSAGES) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=columns)


def coded(*rows: dict) -> Coded:
    return copies.merged(Coded.of(frame(*rows)))


def ledger(name: str = "a.txt") -> pl.DataFrame:
    return pl.DataFrame([ledger_row(path=name, sha256=name, fingerprint=name)], schema=LEDGER)


def add(store: Store, *rows: dict, name: str = "a.txt") -> dict[str, int]:
    """Append messages and commit, as an ingest of one file does; new rows per file."""
    with store.writer() as writer:
        appended = writer.append_messages(coded(*rows))
        writer.commit(ledger(name))
    return appended.new


def held(store: Store, version: int | None = None) -> list[dict]:
    """All messages by their key."""
    found = store.snapshot(version).messages(*ALWAYS).collect()
    assert dict(found.schema) == schema.MESSAGES
    return found.sort(schema.MESSAGE_ID).to_dicts()


def stored_rows(store: Store) -> int:
    """Rows of the table, refinements included."""
    return store.snapshot()._scan("messages").select(pl.len()).collect().item()


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "folder" / "store")


# ---- union (kpi-spec I2) --------------------------------------------------------------------------


def test_the_same_batch_twice_adds_nothing(store):
    batch = [message(1), message(2, NOON + 5), message(3, NOON + 40 * clock.DAY_SECONDS)]
    assert add(store, *batch) == {"a.txt": 3}
    before = held(store)
    assert len(before) == 3
    assert add(store, *batch, name="b.txt") == {}
    assert held(store) == before
    assert stored_rows(store) == 3


def test_repeats_in_one_batch_are_one(store):
    assert add(store, message(1), message(1)) == {"a.txt": 1}
    assert len(held(store)) == 1


def test_two_true_repeats_in_one_second_survive(store):
    add(store, message(1, occurrence=0), message(1, occurrence=1, rank=1))
    add(store, message(1, occurrence=0), name="b.txt")
    add(store, message(1, occurrence=0), message(1, occurrence=1, rank=1), name="c.txt")
    assert [row["occurrence"] for row in held(store)] == [0, 1]


@pytest.mark.parametrize("other", [{"buyer_key": 8}, {"at": NOON + 1}, {"key": 2}, {"occurrence": 1}])
def test_every_part_of_the_key_tells_messages_apart(store, other):
    add(store, message())
    assert add(store, message(**other), name="b.txt") == {"a.txt": 1}
    assert len(held(store)) == 2


def test_new_rows_are_counted_per_file(store):
    add(store, message(1))
    new = add(
        store,
        message(1, source_file="b.txt"),
        message(2, source_file="b.txt"),
        message(3, source_file="c.txt"),
    )
    assert new == {"b.txt": 1, "c.txt": 1}


# ---- a copy that knows more (kpi-spec I3, definitions 2, 3, 6) ------------------------------------

KNOWS_MORE = [
    ({"agent": None}, {"agent": "小美"}, {"agent": "小美"}),
    ({"agent": "小美"}, {"agent": "阿强"}, {"agent": min("小美", "阿强")}),
    ({"rank": 0}, {"rank": 3}, {"rank": 3}),
    ({"message_class": 1}, {"message_class": 3}, {"message_class": 3}),
    ({"characters": 2}, {"characters": 3}, {"characters": 3}),
    ({"exporter": "阿强"}, {"exporter": "小美"}, {"exporter": min("小美", "阿强")}),
    ({"exporter": None}, {"exporter": "小美"}, {"exporter": "小美"}),
    ({"agent": None, "rank": 5}, {"agent": "小美", "rank": 0}, {"agent": "小美", "rank": 5}),
]


@pytest.mark.parametrize(("one", "other", "both"), KNOWS_MORE)
def test_copies_refine_one_another_in_either_order(tmp_path, one, other, both):
    for number, (first, second) in enumerate([(one, other), (other, one)]):
        store = Store(tmp_path / str(number))
        add(store, message(**first), message(9))
        assert add(store, message(**second), name="b.txt") == {}, "a refinement is no new message"
        found = held(store)
        assert len(found) == 2
        assert {name: found[0][name] for name in both} == both
        assert store.snapshot().bounds()["messages"].to_list() == [2]
        assert store.snapshot().messages(*ALWAYS, ["buyer_key"]).collect().height == 2
        # And once everything is known nothing more is written.
        before = stored_rows(store)
        add(store, message(**one), message(**other), name="c.txt")
        assert stored_rows(store) == before


@pytest.mark.parametrize(("one", "other", "both"), KNOWS_MORE)
def test_copies_in_one_batch_are_folded_as_well(store, one, other, both):
    add(store, message(**other), message(**one))
    (row,) = held(store)
    assert {name: row[name] for name in both} == both
    assert stored_rows(store) == 1


def test_three_copies_are_one_message(store):
    for number, agent in enumerate([None, "b", "a"]):
        add(store, message(agent=agent), name=str(number))
    assert stored_rows(store) == 3
    assert [row["agent"] for row in held(store)] == ["a"]
    assert store.snapshot().bounds().select("messages", "buyers").row(0) == (1, 1)


COPIES = st.builds(
    message,
    key=st.integers(1, 2),
    at=st.sampled_from([NOON, NOON + 25 * clock.DAY_SECONDS]),
    occurrence=st.integers(0, 1),
    rank=st.integers(0, 2),
    agent=st.sampled_from([None, "a", "b"]),
    exporter=st.sampled_from([None, "a", "b"]),
    message_class=st.sampled_from([1, 2, 3]),
    characters=st.integers(1, 2),
)


@settings(max_examples=8)
@given(st.lists(COPIES, min_size=1, max_size=6), st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_order_and_any_batches_give_the_same_messages(copies, rng, pieces):
    shuffled = rng.sample(copies, len(copies))
    with tempfile.TemporaryDirectory() as folder:
        once, apart = Store(Path(folder) / "once"), Store(Path(folder) / "apart")
        add(once, *copies)
        size = -(-len(shuffled) // pieces)
        for begin in range(0, len(shuffled), size):
            add(apart, *shuffled[begin : begin + size])
        for name in (*FIGURES, "exporter"):
            # The exporter matters to messages without a stated agent alone.
            known = [
                [None if name == "exporter" and row["agent"] else row[name] for row in held(store)]
                for store in (once, apart)
            ]
            assert known[0] == known[1], name
        keys = {tuple(copy[part] for part in schema.MESSAGE_ID) for copy in copies}
        assert len(held(apart)) == len(keys)


# ---- orders ---------------------------------------------------------------------------------------


def test_order_versions(store):
    with store.writer() as writer:
        first = writer.append_orders(frame(order("1"), order("2"), columns=schema.ORDERS))
        writer.commit(ledger())
    paid = order("1", 2, state=int(OrderState.PAID), paid_at=NOON + 60, source_file="later.csv")
    new = order("3", 3, source_file="later.csv")
    with store.writer() as writer:
        second = writer.append_orders(frame(order("1"), paid, new, columns=schema.ORDERS))
        writer.commit(ledger("later.csv"))
    assert (first.new, first.changed) == ({"orders.csv": 2}, {})
    assert (second.new, second.changed) == ({"later.csv": 1}, {"later.csv": 1})
    assert store.snapshot().order_versions().collect().height == 4
    folded = fold_orders(store.snapshot().order_versions(), None).sort("order_id")
    assert folded.select("order_id", "paid_at").rows() == [("1", NOON + 60), ("2", None), ("3", None)]
    assert fold_orders(store.snapshot(1).order_versions(), None)["paid_at"].to_list() == [None, None]


def test_two_versions_of_a_new_order_in_one_batch(store):
    with store.writer() as writer:
        appended = writer.append_orders(frame(order("1", 1), order("1", 2), columns=schema.ORDERS))
        writer.commit(ledger())
    assert (appended.new, appended.changed) == ({"orders.csv": 1}, {"orders.csv": 1})


# ---- versions -------------------------------------------------------------------------------------


def test_old_versions_open_again(store):
    assert store.snapshot().store_version == 0
    add(store, message(1))
    add(store, message(1, agent="小美"), message(2), name="b.txt")
    assert [len(held(store, version)) for version in (0, 1, 2, None)] == [0, 1, 2, 2]
    assert held(store, 1)[0]["agent"] is None
    assert held(store, 2)[0]["agent"] == "小美"
    assert store.snapshot(1).ledger()["path"].to_list() == ["a.txt"]
    assert sorted(store.snapshot().ledger()["path"]) == ["a.txt", "b.txt"]


def test_a_store_made_anew_in_the_same_place_is_another(store):
    add(store, message(1))
    assert [row["message_key"] for row in held(store)] == [1]
    # The folders stay: the system gives their numbers again, sooner or later, to those of another store.
    for content in [below for table in store.folder.iterdir() if table.is_dir() for below in table.iterdir()]:
        shutil.rmtree(content) if content.is_dir() else content.unlink()
    add(store, message(2))
    assert [row["message_key"] for row in held(store)] == [2]


@pytest.mark.parametrize("version", [3, -1])
def test_a_version_that_does_not_exist(store, version):
    add(store, message())
    with pytest.raises(UsageError, match=f"no version {version}"):
        store.snapshot(version)


def test_an_empty_store_has_version_0_alone(store):
    assert held(store) == []
    assert store.snapshot(0).data_ends() == {}
    assert store.snapshot().rejects().is_empty()
    with pytest.raises(UsageError, match="empty"):
        store.snapshot(1)
    assert not store.folder.exists()


def test_only_the_asked_seconds_are_given(store):
    add(store, message(1), message(2, NOON + 10))
    snapshot = store.snapshot()
    assert snapshot.messages(NOON, NOON).collect()["message_key"].to_list() == [1]
    assert snapshot.messages(NOON + 1, NOON + 10, ["message_key"]).collect().rows() == [(2,)]
    assert snapshot.data_ends() == {"某旗舰店": NOON + 10}


# ---- crashes --------------------------------------------------------------------------------------


class PowerCut(BaseException):
    """Nothing may catch it."""


def test_what_was_not_committed_does_not_exist(store):
    add(store, message(1))
    before = held(store)
    batch = [message(1, agent="小美"), message(2), message(3, NOON + 40 * clock.DAY_SECONDS)]
    with pytest.raises(PowerCut), store.writer() as writer:
        writer.append_messages(coded(*batch))
        writer.append_orders(frame(order(), columns=schema.ORDERS))
        raise PowerCut
    assert store.snapshot().store_version == 1
    assert held(store) == before
    assert store.snapshot().order_versions().collect().is_empty()

    # The same files again: the orphaned rows are taken over, each once.
    add(store, *batch, name="b.txt")
    assert [(row["message_key"], row["agent"]) for row in held(store)] == [(1, "小美"), (2, None), (3, None)]
    assert store.snapshot().bounds()["messages"].to_list() == [3]
    assert store.snapshot().order_versions().collect().height == 1
    assert held(store, 1) == before


def test_a_crash_before_the_first_commit(store):
    with pytest.raises(PowerCut), store.writer() as writer:
        writer.append_messages(coded(message(1)))
        raise PowerCut
    assert store.snapshot().store_version == 0
    assert held(store) == []
    add(store, message(1))
    assert len(held(store)) == 1


def test_a_damaged_table_is_one_line(store):
    add(store, message())
    for file in (store.folder / "messages" / "_delta_log").iterdir():
        file.unlink()
    with pytest.raises(StoreError, match="messages of the store"):
        held(store)


# ---- several writers ------------------------------------------------------------------------------


def test_two_writers_without_a_lock_conflict_instead_of_writing_twice(store, monkeypatch):
    add(store, message(1))
    one, other = Writer(store.folder, dry_run=False), Writer(store.folder, dry_run=False)
    compared = []
    real = copies.unknown

    def overtaken(batch, known):
        """The other writer appends between the comparison and the append of the first."""
        compared.append(known)
        result = real(batch, known)
        if len(compared) == 1:
            other.append_messages(coded(message(2), message(3)))
        return result

    monkeypatch.setattr(copies, "unknown", overtaken)
    one.append_messages(coded(message(2), message(4)))
    one.commit(ledger("b.txt"))
    assert len(compared) == 3, "the first writer had to compare again"
    assert [row["message_key"] for row in held(store)] == [1, 2, 3, 4]
    assert stored_rows(store) == 4


def test_two_threads_wait_for_one_another(store):
    failures = []

    def work(keys):
        try:
            for key in keys:
                add(Store(store.folder), message(key), name=str(key))
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(keys,)) for keys in ([1, 2, 3], [2, 3, 4])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert [row["message_key"] for row in held(store)] == [1, 2, 3, 4]
    assert stored_rows(store) == 4
    assert store.snapshot().store_version == 6


def test_a_lock_that_is_never_freed(store, monkeypatch):
    add(store, message())
    monkeypatch.setattr(store_module, "_LOCK_SECONDS", 0.05)
    with FileLock(store.folder / ".lock"), pytest.raises(StoreError, match="another cslog"):
        add(store, message(2))
    assert len(held(store)) == 1


def test_writers_that_never_get_their_turn_say_so(store, monkeypatch):
    add(store, message())
    monkeypatch.setattr(store_module, "_ATTEMPTS", 2)
    monkeypatch.setattr(store_module.time, "sleep", lambda seconds: None)
    one, other = Writer(store.folder, dry_run=False), Writer(store.folder, dry_run=False)
    real, numbers = copies.unknown, itertools.count(100)

    def always_overtaken(batch, known):
        result = real(batch, known)
        if batch["message_key"][0] < 100:
            other.append_messages(coded(message(next(numbers))))
        return result

    monkeypatch.setattr(copies, "unknown", always_overtaken)
    with pytest.raises(StoreError, match="written by others"):
        one.append_messages(coded(message(2)))


# ---- compaction -----------------------------------------------------------------------------------


@pytest.fixture
def scattered(store) -> Store:
    """Two months in several files, with copies that know more and repeats of one second."""
    later = NOON + 40 * clock.DAY_SECONDS
    add(store, message(1), message(2, buyer_key=-(2**62)), message(3, later))
    add(store, message(1, agent="小美"), message(4, buyer_key=2**62), name="b.txt")
    add(store, message(1, agent="小丽", rank=2), message(5, later + 1, exporter="阿强"), name="c.txt")
    return store


def test_compaction_changes_no_message_and_no_older_version(scattered):
    before = [held(scattered, version) for version in (1, 2, 3)]
    ends, accounts = scattered.snapshot().data_ends(), scattered.snapshot().accounts().to_list()
    assert accounts == ["小丽", "小美", "某旗舰店", "阿强"]
    assert scattered.compact() == ["2024-11", "2024-12"]
    assert scattered.snapshot().store_version == 4
    assert [held(scattered, version) for version in (1, 2, 3)] == before
    assert [{**row, "refines": False} for row in before[2]] == held(scattered)
    assert stored_rows(scattered) == 5, "copies are one row now"
    assert scattered.snapshot().data_ends() == ends
    assert scattered.snapshot().accounts().to_list() == accounts
    assert scattered.compact() == []
    assert scattered.snapshot().store_version == 4


def test_months_of_few_files_are_left_alone_when_there_is_spare(scattered):
    files = Counter(part.partition for part in scattered.snapshot().parts("messages"))
    assert files["2024-11"] > files["2024-12"] > 1
    assert scattered.compact(spare=files["2024-11"] - 1) == []
    assert scattered.snapshot().store_version == 3
    assert scattered.compact(spare=files["2024-11"] - 2) == ["2024-11"]
    assert len(scattered.snapshot().parts("messages")) == 1 + files["2024-12"]


def test_what_is_sorted_again_grows_with_the_month_and_not_with_its_ingests(store):
    written = 0
    for number in range(60):
        rows = [message(second, buyer_key=second * 2**40) for second in range(number, 600, 60)]
        add(store, *rows, name=f"{number}.txt")
        if store.compact(spare=4):
            written += sum(part.rows for part in store.snapshot().parts("messages"))
        assert len(store.snapshot().parts("messages")) <= 5 + 60 / 4
    assert 600 < written < 4 * 600


def test_a_compacted_month_is_one_sorted_run(scattered, monkeypatch):
    monkeypatch.setattr(store_module, "_ROWS_PER_FILE", 1)
    assert scattered.compact() == ["2024-11", "2024-12"]
    columns = ["buyer_key", "sent_at", "agent_key"]
    november = scattered.snapshot().messages(*clock.month_seconds("2024-11"), columns).collect()
    assert november["buyer_key"].to_list() == [-(2**62), 7, 2**62]
    assert len({part.path for part in scattered.snapshot().parts("messages")}) > 2
    only = scattered.snapshot().messages(*ALWAYS, columns, buyer_keys=(0, 8)).collect()
    assert set(only["buyer_key"]) == {7}
    assert only["agent_key"].n_unique() == 2, "nobody and 小丽"


def test_what_comes_after_a_compaction_is_compared_with_it(scattered):
    scattered.compact()
    assert add(scattered, message(1), message(6), name="d.txt") == {"a.txt": 1}
    assert len(held(scattered)) == 6
    assert scattered.compact() == ["2024-11"]
    assert stored_rows(scattered) == 6


def test_a_compaction_takes_over_what_a_killed_ingest_left(store):
    add(store, message(1))
    with pytest.raises(PowerCut), store.writer() as writer:
        writer.append_messages(coded(message(2, NOON + 60, agent="小美")))
        raise PowerCut
    assert store.compact() == ["2024-11"]
    assert [row["message_key"] for row in held(store)] == [1, 2]
    assert store.snapshot().data_ends() == {"某旗舰店": NOON + 60}
    assert "小美" in store.snapshot().accounts().to_list()


def test_a_killed_compaction_is_as_if_it_had_not_begun(scattered, monkeypatch):
    before = held(scattered)
    monkeypatch.setattr(Writer, "_commit", lambda *arguments: (_ for _ in ()).throw(PowerCut()))
    with pytest.raises(PowerCut):
        scattered.compact()
    monkeypatch.undo()
    assert scattered.snapshot().store_version == 3
    assert held(scattered) == before
    assert add(scattered, message(1), message(7), name="d.txt") == {"a.txt": 1}
    assert {row["message_key"] for row in held(scattered)} == {1, 2, 3, 4, 5, 7}
    assert scattered.snapshot().data_ends() == {"某旗舰店": NOON + 40 * clock.DAY_SECONDS + 1}


def test_an_empty_store_has_nothing_to_compact(store):
    assert store.compact() == []
    assert not store.folder.exists()


# ---- the folder -----------------------------------------------------------------------------------


def test_a_dry_run_creates_nothing(store):
    with store.writer(dry_run=True) as writer:
        assert writer.known_fingerprints() == set()
        assert writer.append_messages(coded(message())).new == {"a.txt": 1}
        assert writer.append_orders(frame(order(), columns=schema.ORDERS)).new == {"orders.csv": 1}
        writer.append_rejects(frame(columns=schema.STORED_REJECTS))
    assert not store.folder.parent.exists()


def test_a_dry_run_compares_with_what_is_there(store):
    add(store, message(1))
    files = sorted(store.folder.rglob("*"))
    with store.writer(dry_run=True) as writer:
        assert writer.known_fingerprints() == {"a.txt"}
        assert writer.append_messages(coded(message(1), message(2))).new == {"a.txt": 1}
    assert sorted(store.folder.rglob("*")) == files
    assert len(held(store)) == 1


@pytest.mark.skipif(os.name == "nt", reason="rights of Unix")
def test_nobody_else_may_read_the_chats(store):
    old = os.umask(0)
    try:
        add(store, message())
    finally:
        os.umask(old)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        add(Store(tmp_path / "store"), message())


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError, match="cannot write the store"):
        add(Store(tmp_path / "store"), message())


def test_a_newer_schema_is_refused_and_left_alone(store, monkeypatch):
    monkeypatch.setattr(store_module, "SCHEMA_VERSION", store_module.SCHEMA_VERSION + 1)
    add(store, message(1))
    monkeypatch.undo()
    with pytest.raises(StoreError, match=r"newer cslog.*update cslog"):
        store.snapshot()
    with pytest.raises(StoreError, match="newer cslog"):
        add(store, message(2), name="b.txt")
    with pytest.raises(StoreError, match="newer cslog"), store.writer(dry_run=True):
        pass
    for table in ("ledger", "messages"):
        assert tables.Table(store.root / table, LAYOUTS[table]).version == 1


def test_rejects_are_a_union_as_well(store):
    rows = [
        {"source_file": "a.txt", "sha256": "1", "line": 3, "reason": "why", "text": "x"},
        {"source_file": "a.txt", "sha256": "1", "line": 3, "reason": "another", "text": "x"},
        {"source_file": "a.txt", "sha256": "2", "line": 3, "reason": "why", "text": "y"},
    ]
    for batch in (rows[:2], rows, [rows[0], rows[0]]):
        with store.writer() as writer:
            writer.append_rejects(frame(*batch, columns=schema.STORED_REJECTS))
            writer.commit(ledger())
    assert store.snapshot().rejects().height == 3


@given(
    st.lists(st.tuples(*[st.sampled_from([None, "小美", "小红", "a" * 20])] * 3), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_names_are_written_by_number_and_read_as_they_were(named, rows_per_group):
    """In groups of their own dictionaries, some of which hold no name at all."""
    rows = [
        message(number, agent=agent, exporter=exporter, transfer_to=to)
        for number, (agent, exporter, to) in enumerate(named)
    ]
    batch = coded(*rows)
    with tempfile.TemporaryDirectory() as folder:
        tables.create(Path(folder) / "t", LAYOUTS["messages"])
        tables.Table(Path(folder) / "t", LAYOUTS["messages"]).add(
            {"part": [partial(batch.stored, rows_per_group)]}
        )
        back = tables.Table(Path(folder) / "t", LAYOUTS["messages"]).scan().collect()
    assert back.equals(keys.with_account_keys(batch.frame()).select(back.columns))


@pytest.mark.parametrize("rows", [1_024, 5_000, 140_000])
def test_a_commit_of_thousands_of_files_is_written(tmp_path, rows):
    """Seen on an ingest of 1,488 files: Arrow cannot cut strings inside structures where it leaves them uncopied."""
    contents = {"shops": [{"shop": "某旗舰店", "first_at": 1, "last_at": 2}], "accounts": ["小美", "小丽"]}
    removed = {"what": "months", "messages": 3, "orders": 1, "buyers": 1, "rejects": 0, "months": ["2024-11"]}
    row = ledger_row(path="某旗舰店/chat.txt") | contents | {"removed": removed}
    frame = pl.DataFrame([row], schema=LEDGER)[[0] * rows]
    tables.create(tmp_path / "ledger", LAYOUTS["ledger"])
    tables.Table(tmp_path / "ledger", LAYOUTS["ledger"]).add({"part": [frame]})
    kept = tables.Table(tmp_path / "ledger", LAYOUTS["ledger"]).scan().collect()
    assert kept.equals(frame.select(kept.columns))
