"""The short form of arriving.py; exports that are still being written or were cut off; and what is no file at all."""

from __future__ import annotations

import errno
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from cslog import inbox, whole
from cslog.config import Config
from cslog.ingest import FileReport, ingest
from cslog.readers.mapping import load_mapping
from cslog.store import Store
from tests.stress import arriving
from tests.stress.forms import at_length

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_logs" / "qn-txt" / "小美_20241101-20241120.txt"
IRC = ROOT / "docs" / "mappings" / "irc.toml"
ROOT_USER = hasattr(os, "geteuid") and os.geteuid() == 0
ALWAYS = (0, 4_000_000_000)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes, links and signals of POSIX")


def messages(store: Store) -> pl.DataFrame:
    """All messages, without where they were read."""
    rows = store.snapshot().messages(*ALWAYS).collect().drop("source_file")
    return rows.sort(rows.columns)


def taken(path: Path, store: Store, **options) -> FileReport:
    (report,) = ingest([str(path)], store, Config(), **options).files
    return report


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> pl.DataFrame:
    store = Store(tmp_path_factory.mktemp("whole") / "store")
    taken(SAMPLE, store)
    return messages(store)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into; those of pytest are the user's alone."""
    with tempfile.TemporaryDirectory(prefix="cslog-arriving-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("way", range(len(arriving.WAYS)), ids=[way.__name__ for way in arriving.WAYS])
@pytest.mark.parametrize("as_owner", [True, False] if ROOT_USER else [True])
def test_what_is_read_is_what_the_file_was(open_folder, way, as_owner, counted):
    found = arriving.watch(way, open_folder / "files", at_length(0.3, 10), 7, as_owner)
    who = "its owner" if as_owner else "somebody else"
    counted(f"{found.total()} reads by {who} of a file that is {arriving.WAYS[way].__name__}: {dict(found)}")


def test_an_export_that_is_being_written_is_taken_when_it_is_done(tmp_path, expected):
    """A client that takes its time; every try meanwhile is refused in one line and leaves nothing behind."""
    file, store = tmp_path / "export.txt", Store(tmp_path / "store")
    content = SAMPLE.read_bytes()
    program = (
        "import sys, time\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "with open(sys.argv[2], 'wb', buffering=0) as out:\n"
        "    step = -(-len(content) // 12)\n"
        "    for begin in range(0, len(content), step):\n"
        "        out.write(content[begin : begin + step])\n"
        "        print(flush=True)\n"
        "        sys.stdin.readline()\n"
    )
    words = [sys.executable, "-c", program, str(SAMPLE), str(file)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        for _ in range(12):
            assert client.stdout.readline()
            report = taken(file, store)
            if report.status == "ingested":
                pytest.skip("a disk without leases")
            assert report.error == "another program still writes it; ingest it again when it is done"
            client.stdin.write(b"\n")
            client.stdin.flush()
    assert client.returncode == 0
    assert not store.exists or store.snapshot().store_version == 0
    assert file.read_bytes() == content
    assert taken(file, store).status == "ingested"
    assert messages(store).equals(expected)


def test_an_export_that_was_cut_off_and_comes_again_is_there_once(tmp_path, expected):
    """Cut anywhere, also within a character, with nobody writing any more; then the whole file."""
    content, chance = SAMPLE.read_bytes(), random.Random(5)
    begin, end = content.index(b"(2024-"), content.index("群聊".encode("gbk")) - 200
    # A message of several lines that is cut between two of them cannot be known; all others can.
    cuts = [chance.randrange(begin, end) for _ in range(12)]
    cuts = [cut for cut in cuts if content[cut - 1 : cut] not in (b"\n", b"\r")]
    for number, cut in enumerate(cuts):
        file, store = tmp_path / f"{number}.txt", Store(tmp_path / f"store{number}")
        file.write_bytes(content[:cut])
        half = taken(file, store)
        assert half.status == "ingested"
        assert half.rejects > 0, "the line without an end, or the message that it is part of"
        before = messages(store)
        assert before.join(expected, on=before.columns, how="anti", nulls_equal=True).is_empty(), cut
        file.write_bytes(content)
        assert taken(file, store).status == "ingested"
        assert messages(store).equals(expected), cut
        ledger = store.snapshot().ledger()
        assert ledger["sha256"].n_unique() == 2
        # The version of before is as it was.
        old = store.snapshot(1).messages(*ALWAYS).collect().drop("source_file")
        assert old.sort(old.columns).equals(before)


def test_a_log_that_never_closes_is_read_as_far_as_it_goes(tmp_path):
    log, store = tmp_path / "channel.log", Store(tmp_path / "store")
    with log.open("wb", buffering=0) as program:
        program.write(b"--- Log opened")
        assert taken(log, store, reader=load_mapping(IRC)).messages_read == 0
        program.seek(0)
        program.write(
            b"--- Log opened Tue Sep 01 09:59:58 2026\n10:00 < anna> hello\n10:01 <@xiaomei> anna: hi\n"
        )
        first = taken(log, store, reader=load_mapping(IRC))
        assert first.status == "ingested"
        assert not whole.read(log).open_elsewhere or "still writes it" in first.warnings[-1]
        program.write(b"10:02 < anna> which nu")
        half = taken(log, store, reader=load_mapping(IRC))
        if half.status == "ingested":
            pytest.skip("a disk without leases")
        assert half.status == "duplicate", "the line has no end yet: what is known is known"
        program.write(b"mber?\n10:03 < an")
        assert taken(log, store, reader=load_mapping(IRC)).messages_new == 1
        program.write(b"na> mine")
    assert taken(log, store, reader=load_mapping(IRC)).messages_new == 1, "closed: its last line needs no end"
    assert messages(store)["text"].sort().to_list() == ["anna: hi", "hello", "mine", "which number?"]


def cslog(*words: str, folder: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "cslog", *words, "--store", str(folder / "store"), "--json"],
        cwd=folder, env=environment, capture_output=True, timeout=300,
    )  # fmt: skip


def test_what_is_no_file_is_refused_in_one_line(tmp_path, monkeypatch):
    """Pipes, sockets, devices, links into nowhere and in circles: beside a good file, in one process."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.txt").write_bytes(SAMPLE.read_bytes())
    os.mkfifo(tmp_path / "pipe")
    (folder / "nowhere.txt").symlink_to(tmp_path / "missing.txt")
    (folder / "circle").symlink_to(folder)
    (folder / "self.txt").symlink_to(folder / "self.txt")
    (folder / "still.txt.part").write_bytes(b"x")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    filler = subprocess.Popen(["cp", str(SAMPLE), str(tmp_path / "pipe")])
    words = ["in", "socket", "/dev/zero", "/dev/null", "pipe"]
    done = cslog("ingest", *words, folder=tmp_path)
    listening.close()
    assert filler.wait(60) == 0
    assert done.returncode == 1, done.stderr
    assert b"Traceback" not in done.stderr
    files = {Path(file["path"]).name: file for file in json.loads(done.stdout)["files"]}
    said = {name: file["error"] for name, file in files.items()}
    assert said == {
        "good.txt": None,
        "nowhere.txt": "cannot be read: No such file or directory",
        "self.txt": "cannot be read: Too many levels of symbolic links",
        "still.txt.part": "still being written, as its name says; rename it when it is whole",
        "socket": "cannot be read: No such device or address",
        "zero": "is a device and no file; copy what it holds into a file",
        "null": "is a device and no file; copy what it holds into a file",
        "pipe": None,
    }
    assert files["pipe"]["status"] == "duplicate", "what comes out of a pipe is a file like any other"
    monkeypatch.setattr(whole, "_SILENT_S", 0.2)
    report = taken(tmp_path / "pipe", Store(tmp_path / "store"))
    assert report.error == "is a pipe, and nothing came out of it for 0 s"


def test_files_that_go_while_others_are_read(tmp_path):
    """Removed, emptied, or taken away from us after they were listed: their own line, and the others go on."""
    folder, store = tmp_path / "in", Store(tmp_path / "store")
    folder.mkdir()
    content = SAMPLE.read_bytes()
    for name in "abcd":
        (folder / f"{name}.txt").write_bytes(content + name.encode() + b"\r\n")

    def disturb(done: int, total: int, path: str) -> None:
        if path.endswith("a.txt"):
            (folder / "b.txt").unlink()
            os.truncate(folder / "c.txt", 0)

    reports = ingest([str(folder)], store, Config(), on_file=disturb).files
    assert [file.status for file in reports] == ["ingested", "failed", "failed", "ingested"]
    assert reports[1].error == "cannot be read: No such file or directory"
    assert reports[2].error == "the file is empty; export it again"


@pytest.mark.skipif(not ROOT_USER, reason="needs root, to be somebody else")
def test_folders_without_rights_are_said(open_folder):
    folder = open_folder / "in"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed" / "a.txt").write_bytes(SAMPLE.read_bytes())
    (folder / "closed").chmod(0)
    (folder / "b.txt").write_bytes(SAMPLE.read_bytes())
    folder.chmod(0o755)
    program = (
        "import os, sys\n"
        "from cslog import inputs, whole\n"
        "os.setuid(65534)\n"
        "for file in inputs.files_below([sys.argv[1]]):\n"
        "    for found in inputs.inputs_of(file): print(file.name, found.error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["b.txt None", "closed cannot be read: Permission denied"], done.stderr


@pytest.mark.parametrize("other_disk", [False, True])
def test_a_file_that_changes_until_it_is_moved_stays(tmp_path, monkeypatch, other_disk):
    file, target = tmp_path / "a.txt", tmp_path / "done" / "a.txt"
    file.write_bytes(b"read")
    mark = whole.mark_of(file)
    file.write_bytes(b"written since")
    if other_disk:
        real = Path.rename

        def rename(self, other):
            if self == file:
                raise OSError(18, "Invalid cross-device link")
            return real(self, other)

        monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(inbox._ChangedError):
        inbox._move(file, target, mark)
    assert file.read_bytes() == b"written since"
    assert not target.exists()
    assert inbox._move(file, target, whole.mark_of(file)) == target
    assert target.read_bytes() == b"written since"


def test_a_share_that_gives_no_leases_is_read(tmp_path, monkeypatch):
    """The client of SMB answers EAGAIN to whoever asks for a lease where the server gave it no oplock, and that of NFS
    where it has no delegation (cifs_setlease, nfs4_add_lease in Linux): that does not mean that anybody writes.
    """
    fcntl = pytest.importorskip("fcntl")
    real = fcntl.fcntl

    def no_lease(descriptor, command, *more):
        if command == fcntl.F_SETLEASE:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return real(descriptor, command, *more)

    monkeypatch.setattr(fcntl, "fcntl", no_lease)
    here = os.stat(tmp_path).st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"36 35 {os.major(here)}:{os.minor(here)} / /mnt rw - cifs //server/share rw\n")
    read = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, **how: read(mounts if path.name == "mountinfo" else path, **how)
    )
    file = tmp_path / "export.txt"
    file.write_bytes(SAMPLE.read_bytes())
    assert taken(file, Store(tmp_path / "store")).status == "ingested"


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="a file system of Linux")
def test_a_file_of_unknown_size_is_read():
    """Such are all files of /proc, and those of some network drives."""
    assert whole.read(Path("/proc/version")).data.startswith(b"Linux")
