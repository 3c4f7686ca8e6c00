"""The nightly run: what it takes, what it leaves, where files go, what it warns of, and what it writes down."""

from __future__ import annotations

import datetime
import io
import json
import os
import re
import threading
import time
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import worlds
from filelock import FileLock
from naive import DAY, Block, Export, Line
from worlds import BEGIN, FIRST_DAY, SHOP

from cslog import clock, gaps, inbox, routine
from cslog.__main__ import main
from cslog.clock import Period
from cslog.config import Config, Run, RunReport, Shop
from cslog.errors import StoreError, UsageError
from cslog.ingest import ingest
from cslog.routine import Round
from cslog.store import Store, Writer

SECRET = "手机13800000000"
TODAY = FIRST_DAY + 2
DAY_NAME = str(clock.date_of(TODAY))
ALWAYS = (BEGIN - 400 * DAY, BEGIN + 400 * DAY)


def chat(text: str = "在吗", *, day: int = 0, buyer: str = "buyer_a", shop: str = SHOP) -> bytes:
    """A Txt export: the buyer says something ``day`` days after the first, and is answered."""
    at = BEGIN + day * DAY + 36_000
    lines = [Line(at, buyer, text), Line(at + 20, f"{shop}:小美", "亲，在的")]
    return worlds.txt_bytes(Export(shop, f"{shop}:小美", [Block(buyer, lines)]))


def zip_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Place:
    """An inbox and a store in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inbox = folder, folder / "收件"
        self.inbox.mkdir()
        self.store = Store(folder / "store")
        self.asked: list[tuple[str, str, Period, list[str]]] = []

    def put(self, name: str, content: bytes, age: float = 3600) -> Path:
        file = self.inbox / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (time.time() - age,) * 2)
        return file

    def plan(self, config: Config | None = None, **options) -> routine.Plan:
        options = {"inbox_folder": str(self.inbox), "today": TODAY} | options
        return routine.plan_of(config or Config(run=Run(settle_s=0)), **options)

    def run(self, config: Config | None = None, **options) -> Round:
        config = config or Config(run=Run(settle_s=0))

        def write(report, output, period, missing):
            self.asked.append((report.what, output.name, period, list(missing)))
            return ["not final"]

        return routine.run(self.plan(config, **options), self.store, config, write)

    def log(self) -> list[dict]:
        lines = (self.inbox / "cslog-run.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def here(self) -> list[str]:
        """All files of the inbox but the log and the lock."""
        files = (path.relative_to(self.inbox).as_posix() for path in self.inbox.rglob("*") if path.is_file())
        return sorted(name for name in files if name not in ("cslog-run.log", ".cslog-run.lock"))

    def texts(self) -> list[str]:
        return sorted(self.store.snapshot().messages(*ALWAYS).collect()["text"], key=str)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


# ---- files ----------------------------------------------------------------------------------------


def test_what_was_read_is_in_the_store_and_moved_aside(place):
    place.put("a.txt", chat())
    place.put("旺旺/b.txt", chat("有货吗", buyer="buyer_b"))
    found = place.run()
    assert (found.status, found.exit_status, found.error) == ("done", 0, None)
    assert place.here() == [f"done/{DAY_NAME}/a.txt", f"done/{DAY_NAME}/旺旺/b.txt"]
    assert place.texts() == ["亲，在的", "亲，在的", "在吗", "有货吗"]
    again = place.run()
    assert (again.status, again.exit_status, again.files) == ("done", 0, [])
    assert len(place.texts()) == 4


def test_the_store_remembers_where_the_file_is_afterwards(place):
    place.put("a.txt", chat())
    place.put("b.zip", zip_of(**{"c.txt": chat(buyer="buyer_b")}))
    place.run()
    sources = place.store.snapshot().messages(*ALWAYS, ["source_file"]).collect()["source_file"].unique()
    done = place.inbox / "done" / DAY_NAME
    assert sorted(sources) == [str(done / "a.txt"), f"{done / 'b.zip'}/c.txt"]
    assert (done / "a.txt").is_file()


def test_names_that_are_taken_are_never_overwritten(place):
    for number in range(3):
        place.put("同名.txt", chat(f"第{number}", buyer=f"buyer_{number}"))
        assert place.run().exit_status == 0
    done = place.inbox / "done" / DAY_NAME
    names = ["同名 (2).txt", "同名 (3).txt", "同名.txt"]
    assert sorted(file.name for file in done.iterdir()) == names
    assert len({(done / name).read_bytes() for name in names}) == 3
    sources = place.store.snapshot().messages(*ALWAYS, ["source_file"]).collect()["source_file"].unique()
    assert sorted(Path(source).name for source in sources) == names


def test_a_failed_file_goes_apart_with_the_reason_and_the_rest_is_kept(place):
    bad = place.put("截图.png", b"\x89PNG\r\n\x1a\n" + bytes(20))
    content = bad.read_bytes()
    place.put("a.txt", chat())
    found = place.run()
    assert (found.status, found.exit_status) == ("failed", 1)
    moved = place.inbox / "failed" / DAY_NAME / "截图.png"
    assert moved.read_bytes() == content
    assert place.here() == [f"done/{DAY_NAME}/a.txt", f"failed/{DAY_NAME}/截图.png"]
    (logged,) = [file for file in place.log()[0]["files"] if file["path"] == "截图.png"]
    assert logged["moved_to"] == str(moved)
    assert "picture" in logged["errors"][0]
    assert logged["parts"][0]["path"] == str(moved)
    assert place.run().exit_status == 0  # what failed is not tried again


def test_a_zip_with_a_bad_member_goes_to_failed_and_its_good_ones_are_kept(place):
    place.put("b.zip", zip_of(**{"c.txt": chat(), "d.png": b"\x89PNG\r\n\x1a\n" + bytes(20)}))
    found = place.run()
    assert found.exit_status == 1
    assert place.here() == [f"failed/{DAY_NAME}/b.zip"]
    assert found.files[0].errors[0].startswith("d.png: ")
    assert len(place.texts()) == 2


def test_a_zip_without_anything_to_read_is_not_done(place):
    place.put("b.zip", zip_of(README=b"nothing"))
    found = place.run()
    assert found.exit_status == 1
    assert place.here() == [f"failed/{DAY_NAME}/b.zip"]
    assert found.files[0].errors == ["holds no file to read"]


@pytest.mark.parametrize("name", ["a.txt.part", "a.CRDOWNLOAD", "b.tmp"])
def test_names_of_unfinished_files_are_left(place, name):
    place.put(name, chat())
    found = place.run()
    assert found.exit_status == 0
    assert place.here() == [name]
    assert [left.path for left in found.left] == [name]
    assert found.warnings == []  # an hour old: it may go on


def test_a_file_that_waits_for_days_is_said_aloud(place):
    place.put("a.txt.part", chat(), age=3 * 86_400)
    assert any("a.txt.part" in warning for warning in place.run().warnings)


@pytest.mark.parametrize("name", ["~$订单.xlsx", ".hidden", "README.txt", "cslog-run.log"])
def test_what_ingest_passes_over_stays_without_a_word(place, name):
    place.put("done.txt", chat())
    if name != "cslog-run.log":
        place.put(name, b"whatever")
    found = place.run()
    assert found.left == []
    assert name in place.here() or name == "cslog-run.log"


def test_a_file_that_grows_meanwhile_is_left_for_the_next_run(place):
    growing = place.put("a.txt", chat()[:40], age=3600)  # a server whose clock is slow
    quiet = place.put("b.txt", chat("有货吗", buyer="buyer_b"), age=0)
    written = threading.Timer(0.3, lambda: growing.write_bytes(chat()))
    written.start()
    found = place.run(Config(run=Run(settle_s=1)))
    written.join()
    assert [left.path for left in found.left] == ["a.txt"]
    assert not quiet.exists()
    assert place.texts() == ["亲，在的", "有货吗"]
    os.utime(growing, (time.time() - 60,) * 2)
    assert place.run().exit_status == 0
    assert len(place.texts()) == 4


def test_a_file_that_changes_while_it_is_read_is_not_moved(place, monkeypatch):
    file = place.put("a.txt", chat())
    whole = ingest

    def slow(*arguments, **options):
        report = whole(*arguments, **options)
        file.write_bytes(chat() + chat("还在吗", day=1))
        return report

    monkeypatch.setattr(inbox.library, "ingest", slow)
    found = place.run()
    assert [(left.path, found.files[0].moved_to) for left in found.left] == [("a.txt", None)]
    assert file.exists()
    monkeypatch.undo()
    place.run()
    assert "还在吗" in place.texts()
    assert len(place.texts()) == 4  # and nothing twice


@pytest.mark.skipif(not hasattr(os, "fork"), reason="leases are Linux's")
def test_a_file_that_another_program_still_writes_is_left(place):
    pytest.importorskip("fcntl")
    file = place.put("a.txt", chat())
    reader = file.open("rb")
    writer = file.open("ab")  # a stalled copy: nothing changes for as long as it likes
    os.utime(file, (time.time() - 3600,) * 2)
    with reader:
        with writer:
            found = place.run()
        assert [left.reason for left in found.left] == ["still open in another program"]
        assert place.run().files[0].moved_to  # a reader is no harm
    assert len(place.texts()) == 2


def test_a_file_that_cannot_be_read_now_is_left(place):
    file = place.put("a.txt", chat())
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("root may read everything")
    found = place.run()
    assert found.left[0].reason.startswith("cannot be read")
    assert file.exists()


def test_a_file_that_cannot_be_moved_stays_and_is_said(place):
    place.put("a.txt", chat())
    blocked = place.folder / "blocked"
    blocked.write_bytes(b"a file where a folder should be")
    found = place.run(done=str(blocked / "done"))
    assert found.exit_status == 1
    assert "could not be moved" in found.files[0].problem
    again = place.run()
    assert [part.status for part in again.files[0].reports] == ["duplicate"]
    assert place.here() == [f"done/{DAY_NAME}/a.txt"]


@pytest.mark.parametrize("name", ["a.txt", "a.zip"])
def test_a_crash_between_commit_and_move_costs_nothing(place, monkeypatch, name):
    place.put(name, chat() if name == "a.txt" else zip_of(**{"里/b.txt": chat()}))

    def crash(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(inbox, "_move", crash)
    with pytest.raises(KeyboardInterrupt):
        place.run()
    assert len(place.texts()) == 2  # committed
    assert place.here() == [name]
    assert place.log()[0]["status"] == "crashed"
    monkeypatch.undo()
    found = place.run(today=TODAY + 1)
    assert [part.status for part in found.files[0].reports] == ["duplicate"]
    assert place.here() == [f"done/{DAY_NAME}/{name}"]  # where the store has it, though that was yesterday
    assert len(place.texts()) == 2
    place.put(name, (place.inbox / "done" / DAY_NAME / name).read_bytes())  # once more by mistake
    place.run(today=TODAY + 1)
    assert place.here() == [f"done/{DAY_NAME}/{name}", f"done/{clock.date_of(TODAY + 1)}/{name}"]


def test_without_the_commit_nothing_is_moved(place, monkeypatch):
    place.put("a.txt", chat())

    def full(self, rows):
        raise StoreError("cannot write the store", "free some space")

    monkeypatch.setattr("cslog.store.Writer.commit", full)
    found = place.run()
    assert (found.status, found.exit_status) == ("failed", 1)
    assert "free some space" in found.error
    assert place.here() == ["a.txt"]
    monkeypatch.undo()
    assert place.run().files[0].moved_to
    assert len(place.texts()) == 2


def test_moving_to_another_disk_copies_first(place, monkeypatch):
    import errno

    file = place.put("a.txt", chat())
    content, stamp = file.read_bytes(), file.stat().st_mtime_ns
    rename = Path.rename

    def other_disk(self, target):
        if Path(target).parent != self.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", other_disk)
    assert place.run().exit_status == 0
    moved = place.inbox / "done" / DAY_NAME / "a.txt"
    assert (moved.read_bytes(), moved.stat().st_mtime_ns) == (content, stamp)
    assert place.here() == [f"done/{DAY_NAME}/a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_nobody_else_may_look_into_what_was_moved_or_logged(place):
    before = os.umask(0)
    try:
        place.put("a.txt", chat())
        place.put("b.png", b"\x89PNG\r\n\x1a\n" + bytes(20))
        place.run()
    finally:
        os.umask(before)
    for name in ("done", "failed", "cslog-run.log"):
        assert (place.inbox / name).stat().st_mode & 0o077 == 0, name


# ---- settings -------------------------------------------------------------------------------------


def test_months_that_many_runs_scattered_are_sorted_anew(place, monkeypatch):
    monkeypatch.setattr(routine, "_SPARE_FILES", 1)
    for day in range(2):
        place.put(f"{day}.txt", chat(day=day))
        assert place.run().sorted_months == []
    before = place.store.snapshot().messages(*ALWAYS).collect()
    place.put("2.txt", chat(day=2))
    found = place.run()
    assert found.sorted_months == ["2024-11"] == place.log()[-1]["sorted_months"]
    assert found.store_version == place.store.snapshot().store_version == 4
    assert len(place.store.snapshot().parts("messages")) == 1
    after = place.store.snapshot().messages(*ALWAYS).collect()
    assert after.height == 6
    assert after.join(before, on=before.columns, how="semi", nulls_equal=True).height == 4
    assert place.run().sorted_months == []


def test_a_store_that_cannot_be_sorted_costs_no_report(place, monkeypatch):
    def full(*args, **options):
        raise StoreError("no space left")

    place.put("a.txt", chat())
    monkeypatch.setattr(Store, "compact", full)
    report = RunReport(what="kpi", period="yesterday", output="a.csv")
    found = place.run(reports=[report])
    assert found.exit_status == 0
    assert any("could not be sorted: no space left" in line for line in found.warnings)
    assert [one[0] for one in place.asked] == ["kpi"]


def test_a_damaged_column_that_no_report_reads_costs_none(place, monkeypatch):
    monkeypatch.setattr(routine, "_SPARE_FILES", 1)
    for day in range(2):
        place.put(f"{day}.txt", chat(day=day))
        place.run()
    path = place.store.snapshot().parts("messages")[0].path
    columns = pq.read_metadata(path).row_group(0).to_dict()["columns"]
    text = next(column for column in columns if column["path_in_schema"] == "text")
    content, size = bytearray(path.read_bytes()), text["total_compressed_size"]
    content[text["data_page_offset"] : text["data_page_offset"] + size] = b"\xff" * size
    path.write_bytes(content)
    place.put("2.txt", chat(day=2))
    found = place.run(reports=[RunReport(what="kpi", period="yesterday", output="a.csv")])
    assert (found.status, found.exit_status) == ("done", 0)
    assert any("could not be sorted: the store at" in line for line in found.warnings)
    assert [one[0] for one in place.asked] == ["kpi"]


def test_the_version_of_a_round_is_the_stores_when_it_took_over_what_a_killed_one_left(place, monkeypatch):
    place.put("a.txt", chat())
    place.run()
    file = place.put("b.txt", chat("有货吗", buyer="buyer_b"))
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "commit", lambda writer, files: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            place.run()
    file.unlink()
    found = place.run()
    assert found.store_version == place.store.snapshot().store_version == 2
    assert found.sorted_months == []


def test_settings_and_options_that_override_them(place):
    (place.folder / "elsewhere").mkdir()
    config = Config(
        folder=str(place.folder),
        run=Run(inbox="收件", done="erledigt", failed="kaputt", log="run.jsonl", settle_s=0, wait_s=7),
    )
    plan = place.plan(config, inbox_folder=None)
    assert plan.folders == inbox.Folders(place.inbox, place.folder / "erledigt", place.folder / "kaputt")
    assert (plan.log, plan.wait_s) == (place.folder / "run.jsonl", 7)
    other = str(place.folder / "elsewhere")
    plan = place.plan(config, inbox_folder=other, done=other + "/d", log=other + "/l", wait_s=0)
    assert plan.folders.inbox == place.folder / "elsewhere"
    assert plan.folders.done == place.folder / "elsewhere" / "d"
    assert (plan.log, plan.wait_s) == (place.folder / "elsewhere" / "l", 0)
    place.put("a.txt", chat())
    assert place.run(config, inbox_folder=None).exit_status == 0
    assert (place.folder / "erledigt" / DAY_NAME / "a.txt").is_file()
    assert (place.folder / "run.jsonl").is_file()


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (Run(), {"inbox_folder": None}),
        (Run(), {"inbox_folder": "/nowhere/at/all"}),
        (Run(done="."), {}),
        (Run(failed=".."), {}),
        (Run(reports=(RunReport("yesterday", "kpi-{month}.xlsx"),)), {}),
        (Run(reports=(RunReport("yesterday", "kpi-{period.xlsx"),)), {}),
    ],
    ids=["no inbox", "no such inbox", "done is the inbox", "failed is above", "unknown name", "half a name"],
)
def test_settings_that_cannot_be_meant(place, settings, options):
    with pytest.raises(UsageError):
        place.plan(Config(folder=str(place.inbox), run=settings), **options)


# ---- overlapping runs -----------------------------------------------------------------------------


def test_a_second_run_waits_for_the_first(place):
    place.put("a.txt", chat())
    lock = FileLock(place.inbox / ".cslog-run.lock", thread_local=False)
    lock.acquire()
    freed = threading.Timer(0.4, lock.release)
    freed.start()
    found = place.run(wait_s=30)
    freed.join()
    assert (found.status, found.exit_status) == ("done", 0)
    assert found.duration_s >= 0.3
    assert len(found.files) == 1


def test_a_second_run_that_cannot_wait_does_nothing_and_says_so(place):
    place.put("a.txt", chat())
    with FileLock(place.inbox / ".cslog-run.lock"):
        found = place.run(wait_s=0)
    assert (found.status, found.exit_status) == ("busy", 75)
    assert "another cslog run" in found.error
    assert place.here() == ["a.txt"]
    assert not place.store.exists
    assert [line["status"] for line in place.log()] == ["busy"]


# ---- missing days ---------------------------------------------------------------------------------


def named(found: Round) -> dict[str, list[int]]:
    return {
        shop: [(datetime.date.fromisoformat(day) - clock.date_of(FIRST_DAY)).days for day in days]
        for shop, days in found.missing_days.items()
    }


def test_days_between_and_yesterday_are_missed(place):
    place.put("a.txt", chat(day=0))
    place.put("b.txt", chat(day=3))
    found = place.run(today=FIRST_DAY + 6)
    assert named(found) == {SHOP: [1, 2, 4, 5]}
    assert found.exit_status == 0
    (warning,) = found.warnings
    first = clock.date_of(FIRST_DAY)
    for number in (1, 2, 4, 5):
        assert str(first + datetime.timedelta(days=number)) in warning
    assert place.log()[0]["warnings"] == [warning]


def test_the_first_day_of_a_shop_is_where_it_begins(place):
    place.put("a.txt", chat(day=3))
    assert named(place.run(today=FIRST_DAY + 4)) == {}
    place.put("b.txt", chat(day=0, shop="乙店"))
    assert named(place.run(today=FIRST_DAY + 4)) == {"乙店": [1, 2, 3]}


def test_a_shop_that_fell_silent_before_the_window_is_still_missed(place):
    place.put("a.txt", chat(day=0))
    found = place.run(today=FIRST_DAY + 200)
    days = named(found)[SHOP]
    assert days[-1] == 199
    assert clock.date_of(FIRST_DAY + days[0]).day == 1  # from the first of last month
    assert len(found.warnings) == 1


def test_days_off_retired_shops_and_slow_exports_are_no_gaps(place):
    place.put("a.txt", chat(day=0))
    place.put("b.txt", chat(day=3))
    place.put("c.txt", chat(day=0, shop="旧店"))
    closed = tuple(clock.date_of(FIRST_DAY + number) for number in (1, 4))
    config = Config(
        shops={"旧店": Shop(aliases=("旧店旗舰",))},
        run=Run(settle_s=0, closed_days=closed, retired_shops=("旧店旗舰",), days_behind=2),
    )
    assert named(place.run(config, today=FIRST_DAY + 6)) == {SHOP: [2]}


def test_days_for_people():
    days = [FIRST_DAY, FIRST_DAY + 2, FIRST_DAY + 3, FIRST_DAY + 4]
    assert clock.spans_of_days(days) == "2024-11-28, 2024-11-30 – 2024-12-02"
    (line,) = gaps.warnings_of({"甲店": [FIRST_DAY]})
    assert line.startswith("甲店: 1 day is missing")


# ---- reports --------------------------------------------------------------------------------------


def test_reports_are_asked_for_by_the_day_of_the_run(place):
    periods = ("yesterday", "this_week", "last_week", "this_month", "last_month")
    reports = tuple(RunReport(name, f"{name}-{{period}}-{{today}}.csv") for name in periods)
    place.put("a.txt", chat())
    found = place.run(
        Config(run=Run(settle_s=0, reports=reports)), today=clock.day_number(datetime.date(2024, 12, 1))
    )
    assert [name for _, name, _, _ in place.asked] == [
        "yesterday-2024-11-30-2024-12-01.csv",
        "this_week-2024-W48-2024-12-01.csv",
        "last_week-2024-W47-2024-12-01.csv",
        "this_month-2024-11-2024-12-01.csv",  # the month of yesterday: its last day is still looked at
        "last_month-2024-11-2024-12-01.csv",
    ]
    assert [one.warnings for one in found.reports] == [["not final"]] * 5


@pytest.mark.parametrize(
    ("name", "day", "label"),
    [
        ("yesterday", "2024-03-01", "2024-02-29"),
        ("this_month", "2024-03-02", "2024-03"),
        ("last_month", "2024-01-01", "2023-12"),
        ("last_month", "2024-03-31", "2024-02"),
        ("this_week", "2024-12-30", "2024-W52"),  # a Monday: the week of Sunday
        ("last_week", "2024-12-30", "2024-W52"),
        ("this_week", "2024-12-31", "2025-W01"),
        ("last_week", "2025-01-05", "2024-W52"),
    ],
)
def test_relative_periods(name, day, label):
    period = Period.relative(name, clock.day_number(datetime.date.fromisoformat(day)))
    assert period.label == label
    assert period.days.stop - period.days.start in (1, 7, 28, 29, 30, 31)


def test_a_run_goes_by_the_day_in_china(place, monkeypatch):
    for now, label in (((30, 15, 59), "2024-11-29"), ((30, 16, 0), "2024-11-30")):
        moment = datetime.datetime(2024, 11, *now, tzinfo=datetime.UTC)
        monkeypatch.setattr(clock, "now", lambda moment=moment: clock.seconds_of(moment))
        plan = place.plan(today=None)
        assert Period.relative("yesterday", plan.today).label == label


def test_missing_days_reach_the_reports_that_they_concern(place):
    place.put("a.txt", chat(day=0))
    place.put("b.txt", chat(day=4, shop=SHOP))
    reports = (
        RunReport("last_month", "a.csv"),
        RunReport("yesterday", "b.csv"),
        RunReport("last_month", "c.csv", shops=("乙店",)),
    )
    place.run(Config(run=Run(settle_s=0, reports=reports)), today=FIRST_DAY + 5)
    month, yesterday, other = (missing for _, _, _, missing in place.asked)
    assert len(month) == 1
    assert "2024-11-29 – 2024-11-30" in month[0]
    assert "12-01" not in month[0]
    assert yesterday == other == []


def test_a_report_that_fails_costs_only_itself(place):
    place.put("a.txt", chat())
    names = ("a.csv", "b.csv", "c.csv")
    config = Config(run=Run(settle_s=0, reports=tuple(RunReport("yesterday", name) for name in names)))

    def write(report, output, period, missing):
        if output.name == "a.csv":
            raise UsageError("no such profile", "see `cslog profiles`")
        if output.name == "b.csv":
            raise ValueError(SECRET)
        return []

    found = routine.run(place.plan(config), place.store, config, write)
    errors = [one.error for one in found.reports]
    assert (errors[0], errors[2]) == ("no such profile; see `cslog profiles`", None)
    assert re.search(r"ValueError, \S+test_inbox\.py:\d+ in write", errors[1])
    assert SECRET not in errors[1]
    assert (found.status, found.exit_status) == ("failed", 2)
    assert place.here() == [f"done/{DAY_NAME}/a.txt"]


# ---- the log --------------------------------------------------------------------------------------


def test_every_run_is_one_line_without_a_word_of_any_chat(place):
    place.put("a.txt", chat(SECRET) + f"\r\n{SECRET}".encode("gbk"))
    place.put("b.txt", SECRET.encode() * 40)
    place.put("c.csv", f"订单编号,{SECRET}\n".encode())
    place.run()
    place.run()
    content = (place.inbox / "cslog-run.log").read_text(encoding="utf-8")
    assert "13800000000" not in content
    first, second = place.log()
    for line in (first, second):
        assert {
            "at", "status", "exit_status", "duration_s", "files", "left", "reports", "warnings", "error", "store_version"
        } <= set(line)  # fmt: skip
        assert datetime.datetime.fromisoformat(line["at"]).utcoffset() == datetime.timedelta(hours=8)
    assert first["files"][0]["parts"][0]["messages_new"] == 2
    assert len(first["files"]) == 3
    assert second["files"] == []


def test_a_log_that_cannot_be_written_is_said(place):
    place.put("a.txt", chat())
    found = place.run(log=str(place.inbox))
    assert found.exit_status == 1
    assert any("log" in warning for warning in found.warnings)
    assert place.here() == [f"done/{DAY_NAME}/a.txt"]


# ---- the command ----------------------------------------------------------------------------------


@pytest.fixture
def cslog(monkeypatch, capsysbinary, place):
    """Type a command; (status, stdout, stderr)."""
    monkeypatch.delenv("CSLOG_STORE", raising=False)
    monkeypatch.delenv("CSLOG_CONFIG", raising=False)
    monkeypatch.chdir(place.folder)

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["cslog", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsysbinary.readouterr()
        return ended.value.code, told.out.decode(), told.err.decode()

    return call


SETTINGS = """
store = "store"
[run]
inbox = "收件"
settle_s = 0
[[run.reports]]
period = "last_month"
output = "报表/kpi-{period}.csv"
[[run.reports]]
period = "last_month"
what = "report"
output = "报表/月报-{period}.xlsx"
"""


def test_the_command_does_it_all(place, cslog):
    (place.folder / "cslog.toml").write_text(SETTINGS, encoding="utf-8")
    place.put("a.txt", chat(day=0))
    place.put("b.txt", chat(day=2))
    status, out, err = cslog("run", "--today", "2024-12-01", "--json")
    assert status == 0
    document = json.loads(out)
    assert [file["path"] for file in document["files"]] == ["a.txt", "b.txt"]
    assert "2024-11-29" in err
    assert sorted(file.name for file in (place.folder / "报表").iterdir()) == [
        "kpi-2024-11.csv",
        "月报-2024-11.xlsx",
    ]
    assert "小美" in (place.folder / "报表" / "kpi-2024-11.csv").read_text(encoding="utf-8-sig")
    book = zipfile.ZipFile(place.folder / "报表" / "月报-2024-11.xlsx")
    assert "缺失日期" in book.read("xl/sharedStrings.xml").decode()
    status, out, err = cslog("run", "--today", "2024-12-01", "--quiet")
    assert (status, out) == (0, "")
    assert err.startswith("warning: ")  # the missing day, and nothing else
    assert err.count("\n") == 1
    (place.folder / "cslog.toml").write_text(SETTINGS + "[shops]\n", encoding="utf-8")
    settings = SETTINGS.replace("settle_s = 0", "settle_s = 0\nclosed_days = [2024-11-29]")
    (place.folder / "cslog.toml").write_text(settings, encoding="utf-8")
    assert cslog("run", "--today", "2024-12-01", "--quiet") == (0, "", "")


def test_the_command_without_a_configuration(place, cslog):
    place.put("a.txt", chat())
    place.put("b.png", b"\x89PNG\r\n\x1a\n" + bytes(20))
    words = ("run", "收件", "--store", str(place.store.folder), "--no-text", "--today", "2024-12-01")
    status, _, err = cslog(*words, "--report", "this_month=kpi-{period}.json")
    assert status == 1
    assert "b.png: is a picture" in err
    assert f"moved to {place.inbox / 'failed'}" in err
    assert json.loads((place.folder / "kpi-2024-11.json").read_bytes())["rows"]
    assert place.texts() == [None, None]
    status, _, err = cslog(*words, "--report", "tomorrow=kpi.json")
    assert status == 2
    assert "last_month" in err


def test_the_command_says_that_another_is_at_work(place, cslog):
    place.put("a.txt", chat())
    with FileLock(place.inbox / ".cslog-run.lock"):
        status, _, err = cslog("run", "收件", "--store", "store", "--wait", "0", "--quiet")
    assert status == 75
    assert "another cslog run" in err
