"""From files to the store: what is walked, what counts as the same file, and what a bad file costs."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from pathlib import Path

import naive
import polars as pl
import pytest
import worlds
from naive import Block, Export, Line, OrderRow
from worlds import BEGIN, SHOP

from cslog import clock, schema
from cslog import ingest as ingest_module
from cslog.config import Config, Shop
from cslog.errors import StoreError, UsageError
from cslog.ingest import FileReport, ingest
from cslog.inputs import files_below
from cslog.readers import registry
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.qn_txt import QnTxt
from cslog.store import Store, Writer

SAMPLES = Path(__file__).parents[1] / "sample_logs"
SECRET = "手机13800000000"
ALWAYS = (BEGIN - 400 * naive.DAY, BEGIN + 400 * naive.DAY)


def chat(*texts: str, buyer: str = "buyer_a", login: str = "小美", shop: str = SHOP) -> Export:
    """An export with one contact: the buyer writes every text, 小美 answers the last."""
    lines = [Line(BEGIN + 60 * number, buyer, text) for number, text in enumerate(texts)]
    answer = Line(BEGIN + 60 * len(texts), f"{shop}:小美", "亲，在的")
    return Export(shop, f"{shop}:{login}", [Block(buyer, [*lines, answer])])


HELLO, OTHER = worlds.txt_bytes(chat("在吗")), worlds.txt_bytes(chat("有货吗", buyer="buyer_b"))


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def inbox(tmp_path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def take(store: Store, *paths: Path, config: Config | None = None, **options) -> list[FileReport]:
    return ingest([str(path) for path in paths], store, config or Config(), **options).files


def statuses(reports: list[FileReport]) -> list[tuple[str, str]]:
    return [(Path(report.path).name, report.status) for report in reports]


def texts(store: Store) -> list[str]:
    return sorted(store.snapshot().messages(*ALWAYS).collect()["text"])


def zip_of(*members: tuple[str, bytes], **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


# ---- what is walked -------------------------------------------------------------------------------


def test_folders_are_walked_sorted_and_without_what_is_no_input(inbox):
    wanted = ["10.txt", "2.txt", "a/z.txt", "b/1.txt", "b.txt", "聊天.txt"]
    left_out = [
        "README.md", "readme", "ReadMe.txt", "a.txt.golden.jsonl", ".hidden.txt", ".git/x.txt", "Thumbs.db",
        "desktop.ini", "~$聊天.xlsx", "b/.DS_Store",
    ]  # fmt: skip
    for name in (*reversed(wanted), *left_out):
        write(inbox / name, b"x")
    found = files_below([str(inbox)])
    assert [file.relative_to(inbox).as_posix() for file in found] == wanted
    # What is named is wanted, whatever its name, and once.
    named = [str(inbox / "README.md"), str(inbox / "2.txt"), str(inbox), str(inbox / "README.md")]
    assert [file.name for file in files_below(named)][:3] == ["README.md", "2.txt", "10.txt"]
    assert len(files_below(named)) == len(wanted) + 1


@pytest.mark.parametrize("name", ["missing", "missing/never.txt"])
def test_a_path_that_does_not_exist(store, inbox, name):
    write(inbox / "a.txt", HELLO)
    with pytest.raises(UsageError, match=f"{name}: no such file or folder"):
        take(store, inbox / "a.txt", inbox / name)
    assert not store.folder.exists(), "nothing is read when the command line is wrong"


def test_an_empty_folder(store, inbox):
    assert take(store, inbox) == []
    assert store.snapshot().store_version == 0


def test_progress_is_told_before_each_file(store, inbox):
    write(inbox / "a.txt", HELLO), write(inbox / "b.txt", OTHER)
    told = []
    take(store, inbox, on_file=lambda done, total, path: told.append((done, total, Path(path).name)))
    assert told == [(0, 2, "a.txt"), (1, 2, "b.txt"), (2, 2, "")]


class SideBySide:
    """Reads the first file only when the second has been read, and fails on what says so."""

    id, title, title_zh, sign = "side", "", "", ""

    def __init__(self) -> None:
        self.second_is_read = threading.Event()

    def identify(self, head: Head) -> bool:
        return True

    def read(self, head: Head, options: Options) -> Batch:
        if head.data == b"defect":
            raise RuntimeError(SECRET)
        if head.data == b"first":
            assert self.second_is_read.wait(30)
        self.second_is_read.set()
        return QnTxt().read(Head(head.path, HELLO if head.data == b"first" else OTHER), options)


def test_files_are_read_side_by_side_and_reported_in_their_order(store, inbox, monkeypatch):
    monkeypatch.setattr(ingest_module, "_THREADS", 2)
    contents = [b"first", b"second", b"defect", b"second", b"first", *(b"%d" % n for n in range(20))]
    paths = [write(inbox / f"{n:02}.txt", content) for n, content in enumerate(contents)]
    reports = take(store, *paths, reader=SideBySide())
    assert [Path(report.path).name for report in reports] == [path.name for path in paths]
    assert [report.status for report in reports[:5]] == [
        "ingested",
        "ingested",
        "failed",
        "duplicate",
        "duplicate",
    ]
    assert reports[2].error is not None
    assert SECRET not in reports[2].error
    assert [report.messages_new for report in reports] == [2, 2] + [0] * 23, (
        "the first of equal copies is the new one"
    )
    assert [path[-6:] for path in store.snapshot().ledger().drop_nulls("path")["path"]][:3] == [
        "00.txt",
        "01.txt",
        "05.txt",
    ]


# ---- zip files ------------------------------------------------------------------------------------


def test_members_of_a_zip_are_files_of_their_own(store, inbox):
    content = zip_of(
        ("导出/b.txt", OTHER),
        ("a.txt", HELLO),
        ("__MACOSX/a.txt", b"?"),
        ("README.md", b"?"),
        ("x/.b.txt", b"?"),
    )
    reports = take(store, write(inbox / "all.zip", content))
    assert [(report.path.partition("all.zip/")[2], report.status) for report in reports] == [
        ("a.txt", "ingested"),
        ("导出/b.txt", "ingested"),
    ]
    assert texts(store) == sorted(["在吗", "有货吗", "亲，在的", "亲，在的"])
    ledger = store.snapshot().ledger()
    assert [path.partition("all.zip/")[2] for path in ledger["path"]] == ["a.txt", "导出/b.txt"]
    # Unpacked, they are known by their bytes.
    assert statuses(take(store, write(inbox / "unpacked.txt", HELLO))) == [("unpacked.txt", "duplicate")]


def test_member_names_of_chinese_windows(store, inbox):
    """They are GBK without any mark, which zipfile shows as cp437."""
    content = zip_of(("XXXX.txt", HELLO)).replace(b"XXXX", "小美".encode("gbk"))
    (report,) = take(store, write(inbox / "a.zip", content))
    assert (Path(report.path).name, report.status) == ("小美.txt", "ingested")


def test_nested_zips(store, inbox):
    inner = zip_of(("a.txt", HELLO))
    twice = zip_of(("内.zip", inner))
    (report,) = take(store, write(inbox / "two.zip", twice))
    assert (report.path, report.status) == (f"{inbox}/two.zip/内.zip/a.txt", "ingested")
    deep = HELLO
    for _ in range(5):
        deep = zip_of(("z.zip" if deep is not HELLO else "a.txt", deep))
    (report,) = take(store, write(inbox / "deep.zip", deep))
    assert report.status == "failed"
    assert "nested too deeply" in report.error


def test_a_damaged_member_keeps_the_others(store, inbox):
    content = zip_of(("a.txt", HELLO), ("b.txt", OTHER), compression=zipfile.ZIP_STORED)
    broken = content.replace("有货吗".encode("gbk"), "有货了".encode("gbk"))
    reports = take(store, write(inbox / "a.zip", broken))
    assert statuses(reports) == [("a.txt", "ingested"), ("b.txt", "failed")]
    assert "damaged" in reports[1].error
    assert texts(store) == sorted(["在吗", "亲，在的"])


def test_a_damaged_deflated_member(store, inbox):
    content = bytearray(zip_of(("a.txt", HELLO * 20), compression=zipfile.ZIP_DEFLATED))
    content[60:80] = b"\xff" * 20
    (report,) = take(store, write(inbox / "a.zip", bytes(content)))
    assert report.status == "failed"


def test_a_locked_member(store, inbox):
    content = bytearray(zip_of(("a.txt", HELLO)))
    content[6] |= 1  # the flag of encryption, in the member's header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (report,) = take(store, write(inbox / "a.zip", bytes(content)))
    assert report.status == "failed"
    assert "locked" in report.error


def test_a_cut_zip(store, inbox):
    (report,) = take(store, write(inbox / "a.zip", zip_of(("a.txt", HELLO))[:-30]))
    assert report.status == "failed"


# ---- the same file, the same message --------------------------------------------------------------


def test_the_same_bytes_are_a_duplicate_under_any_name(store, inbox):
    first = write(inbox / "a.txt", HELLO)
    second = write(inbox / "sub" / "another name.txt", HELLO)
    assert statuses(take(store, first, second)) == [("a.txt", "ingested"), ("another name.txt", "duplicate")]
    assert statuses(take(store, inbox)) == [("a.txt", "duplicate"), ("another name.txt", "duplicate")]
    assert store.snapshot().store_version == 1, "nothing new, no new version"
    (report, _) = take(store, inbox)
    assert len(report.sha256) == 64
    assert (report.messages_read, report.messages_new, report.messages_duplicate) == (0, 0, 0)


def test_the_same_bytes_read_for_another_shop_are_another_file(store, inbox):
    path = write(inbox / "a.txt", HELLO)
    take(store, path)
    assert statuses(take(store, path, shop="乙店")) == [("a.txt", "ingested")]
    assert statuses(take(store, path, shop="乙店")) == [("a.txt", "duplicate")]
    assert store.snapshot().bounds().select("shop", "messages").rows() == [("乙店", 2), (SHOP, 2)]


def test_the_same_bytes_read_in_another_way_are_another_file(store, inbox):
    path = write(inbox / "a.txt", HELLO)
    take(store, path)
    assert statuses(take(store, path, reader=registry.reader_by_id("qn-txt"))) == [("a.txt", "ingested")]
    assert statuses(take(store, path, options_fingerprint="mapping")) == [("a.txt", "ingested")]
    assert store.snapshot().bounds()["messages"].to_list() == [2]


def test_overlapping_exports_count_once(store, inbox):
    one, two = chat("一", "二"), chat("一", "二", "三")
    # The answer of the shorter export stands at another second; all else is the same.
    first, second = (write(inbox / name, worlds.txt_bytes(e)) for name, e in (("1.txt", one), ("2.txt", two)))
    reports = take(store, first, second)
    assert [(r.messages_read, r.messages_new, r.messages_duplicate) for r in reports] == [
        (3, 3, 0),
        (4, 2, 2),
    ]
    assert texts(store) == sorted(["一", "二", "三", "亲，在的", "亲，在的"])


def test_a_gbk_copy_and_a_utf8_copy_are_the_same_chat(store, inbox):
    export = chat("好的😊可以吗？", "€ 5")
    lossy = worlds.txt_bytes(export, "utf-8").decode().encode("gbk", errors="replace")
    take(store, write(inbox / "gbk.txt", lossy))
    reports = take(store, write(inbox / "utf8.txt", worlds.txt_bytes(export, "utf-8")))
    assert [(r.encoding, r.messages_new, r.messages_duplicate) for r in reports] == [("utf-8", 0, 3)]


def test_two_formats_of_the_same_chat_add_nothing(store):
    take(store, SAMPLES / "qn-txt")
    before = texts(store)
    (copied,) = take(store, SAMPLES / "qn-copy" / "晴天小屋.txt")
    assert (copied.reader, copied.messages_new) == ("qn-copy", 0)
    assert copied.messages_duplicate == copied.messages_read > 0
    (table,) = take(store, SAMPLES / "message-table")
    # One of its two chats is in 小丽's export as well: five messages (sample_logs/README.md).
    assert (table.reader, table.messages_duplicate) == ("message-table", 5)
    assert len(texts(store)) == len(before) + table.messages_new == 448


def test_order_reports(store, inbox):
    early = OrderRow(SHOP, "9000000000000001", "buyer_a", BEGIN, None, None, 0, 1234, 1, 0)
    late = early._replace(state=1, paid=BEGIN + 60)
    first = write(inbox / "1.csv", worlds.order_bytes([early]))
    second = write(inbox / "2.csv", worlds.order_bytes([late, early._replace(order_id="9000000000000002")]))
    reports = take(store, first, second)
    assert [(r.reader, r.orders_read, r.orders_new, r.orders_changed) for r in reports] == [
        ("tb-orders", 1, 1, 0),
        ("tb-orders", 2, 1, 1),
    ]


# ---- bad files ------------------------------------------------------------------------------------


def bad_files(folder: Path) -> list[Path]:
    """Files that nobody can read, each with something in it that a buyer wrote."""
    unknown = f"buyer: {SECRET}\n".encode() * 3
    cut_order = worlds.order_bytes([OrderRow(SHOP, "1", SECRET, BEGIN, None, None, 0, 1, 1, 0)])
    return [
        write(folder / "unknown.txt", unknown),
        write(folder / "empty.txt", b""),
        write(folder / "picture.png", b"\x89PNG\r\n\x1a\n" + SECRET.encode()),
        write(folder / "dump.json", f'[{{"content": "{SECRET}"}}]'.encode()),
        write(folder / "page.html", f"<html><body>{SECRET}</body></html>".encode()),
        write(folder / "noise.bin", bytes(range(256)) + SECRET.encode()),
        write(folder / "precision.csv", cut_order.replace(b'="1"', b"3.51531E+15")),
        write(folder / "book.xlsx", zip_of(("[Content_Types].xml", SECRET.encode()))),
        write(folder / "broken.zip", b"PK\x03\x04" + SECRET.encode()),
    ]


def test_a_failing_file_keeps_the_others(store, inbox):
    write(inbox / "a.txt", HELLO), write(inbox / "z.txt", OTHER)
    bad = bad_files(inbox)
    report = ingest([str(inbox)], store, Config())
    failed = [Path(file.path).name for file in report.files if file.status == "failed"]
    assert failed == sorted(file.name for file in bad)
    assert report.totals() | {"messages_new": 4} == report.totals()
    assert (report.totals()["files"], report.totals()["failed"], report.totals()["ingested"]) == (
        len(bad) + 2,
        len(bad),
        2,
    )
    assert all(file.error for file in report.files if file.status == "failed")
    assert len(texts(store)) == 4
    assert sorted(Path(path).name for path in store.snapshot().ledger()["path"]) == ["a.txt", "z.txt"]
    # A failed file is not remembered: a later cslog may read it.
    assert [r.status for r in take(store, *bad)] == ["failed"] * len(bad)


def test_errors_are_one_line_and_hold_nothing_that_a_buyer_wrote(store, inbox):
    for report in take(store, *bad_files(inbox)):
        assert SECRET not in report.error
        assert "13800000000" not in report.error
        assert "\n" not in report.error
        assert not report.error.startswith(str(inbox)), "the path is said once, by who prints the error"


class Careless:
    """A plug-in with a defect, whose exception quotes the file."""

    id, title, title_zh, sign = "careless", "Careless", "粗心", "anything"

    def identify(self, head):
        return True

    def read(self, head, options):
        raise ValueError(f"cannot understand {SECRET}")


class Silent(Careless):
    """A plug-in that finds nothing and does not say so."""

    def read(self, head, options):
        return Batch()


@pytest.mark.parametrize(("reader", "said"), [(Careless(), "ValueError"), (Silent(), "neither messages nor")])
def test_a_defect_of_a_reader_costs_its_file_alone(store, inbox, reader, said):
    (report,) = take(store, write(inbox / "a.txt", HELLO), reader=reader)
    assert (report.status, report.reader) == ("failed", "careless")
    assert said in report.error
    assert SECRET not in report.error


def test_an_unknown_format_says_what_to_do(store, inbox):
    (report,) = take(store, write(inbox / "a.txt", b"some notes\nand more\n"))
    assert report.error.startswith("unknown format")
    assert "cslog readers" in report.error
    assert report.reader is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights(store, inbox):
    write(inbox / "a.txt", HELLO).chmod(0)
    (report,) = take(store, inbox / "a.txt")
    assert "Permission denied" in report.error


def test_lines_without_a_place_are_kept_as_rejects(store, inbox):
    table = (
        "买家昵称,客服昵称,发送时间,发送方,消息内容\n"
        f"buyer_a,{SHOP}:小美,2024-11-28 10:00:00,buyer_a,在吗\n"
        f"buyer_a,{SHOP}:小美,下午三点,buyer_a,{SECRET}\n"
        f"buyer_a,{SHOP}:小美,2024-11-28 10:00:20,陌生人,{SECRET}\n"
        f"buyer_a,{SHOP}:小美,2024-11-28 10:00:30,{SHOP}:小美,在的\n"
    )
    (report,) = take(store, write(inbox / "a.csv", table.encode()))
    assert (report.status, report.messages_new, report.rejects) == ("ingested", 2, 2)
    rejects = store.snapshot().rejects()
    assert dict(rejects.schema) == schema.STORED_REJECTS
    assert rejects["line"].to_list() == [3, 4]
    assert all(SECRET in text for text in rejects["text"])
    assert set(rejects["sha256"]) == {report.sha256}
    assert not any(SECRET in reason for reason in rejects["reason"])
    take(store, inbox / "a.csv")
    assert store.snapshot().rejects().height == 2


def test_replaced_characters_are_counted(store, inbox):
    (report,) = take(store, write(inbox / "a.txt", HELLO.replace("在吗".encode("gbk"), b"\xd4\xda\xff")))
    assert (report.status, report.encoding, report.replaced_characters) == ("ingested", "gb18030", 1)


class Both(Careless):
    """A format with messages and orders in one file; ``nameless`` ("messages", "orders") do not tell their shop."""

    def __init__(self, nameless: str | None = None) -> None:
        self.nameless = nameless

    def read(self, head, options):
        found = QnTxt().read(Head(head.path, HELLO), options)
        messages = found.messages
        if self.nameless == "messages":
            messages = messages.with_columns(sender=pl.col("buyer"))
        order = dict.fromkeys(schema.RAW_ORDERS) | {
            "line": 2, "order_id": "9000000000000001", "buyer": "buyer_a", "created_at": BEGIN, "state": 0, "amount_cents": 1,
            "shop": None if self.nameless == "orders" else SHOP,
        }  # fmt: skip
        rejects = pl.DataFrame([{"line": 1, "reason": "odd", "text": SECRET}], schema=schema.REJECTS)
        return Batch(
            messages=messages, orders=pl.DataFrame([order], schema=schema.RAW_ORDERS), rejects=rejects
        )


@pytest.mark.parametrize("nameless", ["messages", "orders"])
def test_a_file_is_taken_as_a_whole_or_not_at_all(store, inbox, nameless):
    both = write(inbox / "both.txt", b"messages and orders")
    take(store, write(inbox / "a.txt", OTHER))
    before = texts(store)
    (failed,) = take(store, both, reader=Both(nameless))
    assert "shop" in failed.error
    counts = {name: value for name, value in vars(failed).items() if isinstance(value, int)}
    assert set(counts.values()) == {0}, "nothing of it counts, not as a duplicate either"
    assert texts(store) == before
    assert store.snapshot().order_versions().collect().height == 0
    assert store.snapshot().store_version == 1
    (taken,) = take(store, both, reader=Both())
    assert (taken.status, taken.messages_new, taken.orders_new, taken.rejects) == ("ingested", 2, 1, 1)
    assert len(texts(store)) == len(before) + 2


@pytest.mark.parametrize("append", ["append_messages", "append_orders", "append_rejects"])
def test_an_ingest_that_breaks_off_is_seen_when_it_is_repeated(store, inbox, monkeypatch, append):
    """Whatever of it was appended before: nothing is to be seen of it then, nothing is missing or double later."""
    both = write(inbox / "both.txt", b"messages and orders")
    with monkeypatch.context() as patch:

        def full(writer, batch):
            raise OSError(28, "No space left on device")

        patch.setattr(Writer, append, full)
        with pytest.raises(StoreError, match="No space left"):
            take(store, both, reader=Both())
    assert store.snapshot().store_version == 0
    assert texts(store) == []
    (again,) = take(store, both, reader=Both())
    assert (again.status, again.messages_read, again.orders_read) == ("ingested", 2, 1)
    snapshot = store.snapshot()
    assert len(texts(store)) == 2
    assert snapshot.order_versions().collect().height == 1
    assert snapshot.rejects().height == 1


# ---- dry run, configuration -----------------------------------------------------------------------


@pytest.mark.parametrize("rows_per_append", [1, 1_000_000])
def test_a_dry_run_tells_the_same_and_keeps_nothing(store, inbox, monkeypatch, rows_per_append):
    """Also when there is too much to be held at once."""
    monkeypatch.setattr(ingest_module, "_ROWS_PER_APPEND", rows_per_append)
    early = OrderRow(SHOP, "9000000000000001", "buyer_a", BEGIN, None, None, 0, 1234, 1, 0)
    write(inbox / "0.csv", worlds.order_bytes([early]))
    write(inbox / "1.csv", worlds.order_bytes([early._replace(state=1, paid=BEGIN + 60)]))
    write(inbox / "a.txt", HELLO), write(inbox / "b.txt", worlds.txt_bytes(chat("在吗", "有货吗")))
    write(inbox / "c.txt", HELLO), write(inbox / "d.txt", b"unknown\n")
    tried = ingest([str(inbox)], store, Config(), dry_run=True)
    assert tried.store_version == 0
    assert not store.folder.exists()
    done = ingest([str(inbox)], store, Config())
    assert [file.status for file in done.files] == ["ingested"] * 4 + ["duplicate", "failed"]
    assert [file.orders_changed for file in done.files] == [0, 1, 0, 0, 0, 0]
    assert tried.files == done.files
    assert done.store_version == 1


def test_a_dry_run_over_a_store_changes_no_file_of_it(store, inbox):
    take(store, write(inbox / "a.txt", HELLO))
    before = {file: file.stat().st_mtime_ns for file in store.folder.rglob("*")}
    reports = take(store, inbox / "a.txt", write(inbox / "b.txt", OTHER), dry_run=True)
    assert [(r.status, r.messages_new) for r in reports] == [("duplicate", 0), ("ingested", 2)]
    assert {file: file.stat().st_mtime_ns for file in store.folder.rglob("*")} == before


def test_configured_names_of_a_shop_are_one_shop(store, inbox):
    config = Config(shops={SHOP: Shop(aliases=("某某海外店",))})
    rows = [OrderRow("某某海外店", "9000000000000001", "buyer_a", BEGIN, None, None, 0, 1, 1, 0)]
    take(
        store, write(inbox / "a.txt", HELLO), write(inbox / "o.csv", worlds.order_bytes(rows)), config=config
    )
    assert store.snapshot().order_versions().collect()["shop"].to_list() == [SHOP]
    take(store, write(inbox / "b.txt", OTHER), config=config, shop="某某海外店")
    assert store.snapshot().bounds()["shop"].to_list() == [SHOP]


def test_large_ingests_are_appended_in_parts_and_committed_once(store, inbox, monkeypatch):
    from cslog import ingest as module

    monkeypatch.setattr(module, "_ROWS_PER_APPEND", 1)
    paths = [write(inbox / f"{n}.txt", worlds.txt_bytes(chat("在吗", "甲" * n))) for n in range(1, 4)]
    reports = take(store, *paths)
    assert [r.messages_new for r in reports] == [3, 1, 1]
    assert store.snapshot().store_version == 1
    assert clock.months_between(*ALWAYS)[0] == "2023-10"
