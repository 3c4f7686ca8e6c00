"""Hostile files cost their own line in the report, and neither memory, nor time, nor a byte outside the store."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xlsxwriter

from cslog import limits
from cslog.errors import ReadError
from cslog.readers import registry, tabular, vetting
from cslog.readers.base import Options
from cslog.readers.decode import Decoded, decode
from cslog.readers.head import Head
from tests.stress import hostile
from tests.stress.forms import LONG
from tests.stress.targets import MARKER, workbook_of_lines, workbook_of_xml

ROOT = Path(__file__).parents[2]
MEMORY_MB = 900  # of the whole process; the libraries and the compiler alone take about 350
SECONDS = 60  # of the processor, for all files together

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read there")

# What the system says of a child's peak memory includes that of the process it was forked from.
_LAUNCH = """
import atexit, os, pathlib
def tell():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    pathlib.Path(os.environ["PEAK"]).write_text(peak)
atexit.register(tell)
from cslog.__main__ import main
main()
"""


def measured(*words: str, folder: Path) -> tuple[int, str, str, float, float]:
    """Status, stdout, stderr, peak memory in MB and processor seconds of one run of cslog."""
    peak = folder / "peak"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PEAK": str(peak)}
    output, errors = folder / "stdout", folder / "stderr"
    with output.open("wb") as out, errors.open("wb") as err:
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _LAUNCH, *words], stdout=out, stderr=err, cwd=folder, env=environment
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    told = [file.read_text(encoding="utf-8") for file in (output, errors)]
    megabytes = int(peak.read_text()) / 1024
    for file in (output, errors, peak):
        file.unlink()
    return child.returncode, *told, megabytes, used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One ingest of all hostile files."""
    folder = tmp_path_factory.mktemp("hostile")
    inbox = folder / "inbox"
    inbox.mkdir()
    for file in hostile.FILES:
        (inbox / file.name).write_bytes(file.make())
    before = sorted(folder.parent.rglob("*"))
    found = measured("ingest", str(inbox), "--json", "--store", str(folder / "store"), folder=folder)
    new = set(folder.parent.rglob("*")) - set(before)
    return (*found, {path for path in new if folder / "store" not in (path, *path.parents)})


def reports(run) -> dict[str, list[dict]]:
    """What was said of each file, or of what is in it."""
    found: dict[str, list[dict]] = {}
    for file in json.loads(run[1])["files"]:
        found.setdefault(Path(file["path"].partition("inbox/")[2]).parts[0], []).append(file)
    return found


@pytest.mark.parametrize("file", hostile.FILES, ids=lambda file: file.name)
def test_what_becomes_of_it(run, file):
    said = reports(run)[file.name]
    if file.said:
        assert any(file.said in (one["error"] or "") for one in said), said[:3]
        assert all(one["status"] == "failed" or one["messages_read"] == 0 for one in said)
    else:
        assert [one["error"] for one in said] == [None]
        assert sum(one["messages_read"] for one in said) == file.messages
        assert sum(one["rejects"] for one in said) == file.rejects


def test_no_traceback_no_hang_no_memory(run, counted):
    status, output, errors, peak, seconds, _ = run
    assert status == 1
    assert "Traceback" not in errors
    assert "panicked" not in errors
    assert "cslog failed" not in output
    assert peak < MEMORY_MB
    assert seconds < SECONDS
    counted(
        f"{len(hostile.FILES)} hostile files in one ingest: {peak:.0f} MB, {seconds:.0f} s of the processor"
    )


def test_every_error_is_one_line_and_names_nobody(run):
    _, output, errors, *_ = run
    files = json.loads(output)["files"]
    failed = [file for file in files if file["error"]]
    assert len(errors.splitlines()) == len(failed) + sum(len(file["warnings"]) for file in files)
    assert MARKER not in errors
    assert MARKER not in output


def test_two_encodings_in_one_file(run):
    """One export copied behind another: both are read, none of it as mojibake."""
    (mixed,) = reports(run)["mixed.txt"]
    assert (mixed["encoding"], mixed["replaced_characters"]) == ("gb18030+utf-8", 0)
    # Beside a broken line, too, GB18030 stays what it is.
    for words in ("联通", "在吗，亲这个多少钱呀", "囍犇骉靐，龘龘", "😊€"):
        assert decode(b"\xff\n" + words.encode("gb18030")).text.endswith("\n" + words)


def test_dates_of_broken_clocks(run):
    """1970 is a reject, wherever it stands; the future is kept, and said."""
    (dates,) = reports(run)["dates.txt"]
    assert dates["warnings"] == ["1 message is dated in the future; was the clock of a computer wrong?"]
    head = Head("a.txt", hostile.chat("b(2024-11-06 10:12:00):  a", "b(1970-01-01 08:00:00):  b", "c"))
    batch = registry.reader_by_id("qn-txt").read(head, Options())
    assert batch.messages["text"].to_list() == ["a"]
    assert batch.rejects["reason"].to_list() == ["impossible date"] * 2


def test_names_in_zips_are_labels(run):
    (out,) = reports(run)["out.zip"]
    assert out["path"].endswith("/out.zip/out/chat.txt"), "read, under a name that leads nowhere"
    assert run[-1] == set(), "nothing is written but the store"


@pytest.mark.skipif(not LONG, reason="a gigabyte on the disk: HYPOTHESIS_PROFILE=explore")
def test_a_line_of_a_gigabyte(tmp_path):
    with (tmp_path / "line.txt").open("wb") as out:
        out.write(hostile.GOOD)
        for _ in range(1024):
            out.write(b"x" * hostile.MIB)
    status, _, errors, peak, seconds = measured("ingest", "line.txt", "--store", "store", folder=tmp_path)
    assert (status, "longer than 16 MiB" in errors) == (1, True)
    assert peak < 1024 + MEMORY_MB
    assert seconds < SECONDS


@pytest.mark.parametrize("size", [limits.FILE_BYTES + 1])
def test_a_file_beyond_the_limit_is_not_even_read(tmp_path, size):
    with (tmp_path / "large.txt").open("wb") as out:
        out.truncate(size)  # sparse: takes no place on the disk
    status, _, errors, peak, _ = measured("ingest", "large.txt", "--store", "store", folder=tmp_path)
    assert (status, "larger than 4 GiB" in errors) == (1, True)
    assert peak < MEMORY_MB


def _refused(content: bytes) -> bool:
    try:
        vetting.vet("a.xlsx", content)
    except ReadError:
        return True
    return False


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="{0}"/>',
        "<c r='{0}'/>",
        '<c t="s" r = "{0}"><v>1</v></c>',
        '<x:c\nr="{0}"><x:v>1</x:v></x:c>',
        '<c\ts="1"\tr="{0}"/>',
    ],
)
def test_however_a_cell_is_written_its_place_is_seen(cell):
    for places, refused in (
        (("A1", "ZZ1000"), False),
        (("A1", "AAA1048576"), True),
        (("XFD1", "b900000"), True),
    ):
        rows = "".join(f"<row>{cell.format(place)}</row>" for place in places)
        content = workbook_of_xml(hostile._SHEET % f"<sheetData>{rows}</sheetData>".encode())
        assert _refused(content) == refused, places


def test_ordinary_workbooks_pass():
    """Large and dense, or small and blank: nothing that a program writes by itself is refused."""
    dense = workbook_of_lines(["\t".join(f"文{column}" for column in range(30))] * 200)
    assert not _refused(dense)
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    page = book.add_worksheet()
    coloured = book.add_format({"bg_color": "#ff0000"})
    page.write_string(0, 0, "x" * 32_000)
    for row in range(1, 150_000):
        page.write_blank(row, 39, None, coloured)
        page.write_number(row, 0, row)
        page.write_string(row, 1, "在吗")
    book.close()
    assert not _refused(buffer.getvalue()), "40 columns of 150,000 rows, of which three are written"


def test_a_header_cell_beyond_what_csv_takes():
    """Only a mapping comes so far: no other reader knows such a header."""
    with pytest.raises(ReadError, match="header of the table cannot be read"):
        tabular.text_table(Decoded(("时间," + "x" * 200_000 + "\n").encode(), "utf-8", 0))


def test_names_on_the_disk_may_be_anything(tmp_path):
    """GBK names of an unpacked Windows archive, and names that would steer the terminal."""
    names = ["小美.txt".encode("gbk"), b"a\x1b[2Jb.txt", b"c\nd.txt", b"\xff\xfe.txt"]
    for number, name in enumerate(names):
        content = hostile.chat(f"b(2024-11-06 10:13:0{number}):  a")
        (tmp_path / os.fsdecode(name)).write_bytes(content)
        (tmp_path / os.fsdecode(b"bad" + name)).write_bytes(b"%d notes" % number)
    status, output, errors, *_ = measured("ingest", ".", "--json", "--store", "../store", folder=tmp_path)
    files = json.loads(output)["files"]
    assert (status, "Traceback" in errors) == (1, False)
    read = [file["path"] for file in files if file["status"] == "ingested"]
    assert len(read) == len(names)
    assert "小美.txt" in read
    assert "\x1b" not in output + errors
    assert not any("\n" in file["path"] for file in files)
