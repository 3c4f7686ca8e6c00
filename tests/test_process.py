"""The program as a process of its own: how it ends, and what the shell is told."""

import os
import subprocess
import sys

import pytest


def run(*words, **how):
    return subprocess.run([sys.executable, "-m", "cslog", *words], capture_output="stdout" not in how, **how)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_said_in_one_line():
    with open("/dev/full", "wb") as full:
        done = run("metrics", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    said = done.stderr.decode()
    assert said.startswith("cslog: the output cannot be written") and said.count("\n") == 1


def test_who_stops_reading_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = run("metrics", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_all_is_written_before_the_process_ends():
    done = run("metrics", "--json")
    assert done.returncode == 0
    assert done.stdout.endswith(b"}\n") or done.stdout.endswith(b"]\n")
    assert len(done.stdout) > 10_000  # more than a buffer of a stream holds


def test_the_status_is_that_of_the_failure():
    assert run("kpi", "--month", "2024-13").returncode == 2
    assert run("nonsense").returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="descriptors of a shell")
@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_stream_that_nobody_needs_is_no_failure(tmp_path, closed):
    """Schedulers and daemons start programs like that; the exit status is what they go by."""
    words = [sys.executable, "-m", "cslog", "metrics", "--output", str(tmp_path / "metrics.json")]
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}>&-', "sh", *words], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (0, b"", 2 - closed)
    assert (tmp_path / "metrics.json").stat().st_size > 10_000


@pytest.mark.skipif(os.name == "nt", reason="descriptors of a shell")
def test_the_status_of_a_failure_needs_no_stream():
    words = [sys.executable, "-m", "cslog", "kpi", "--month", "2024-13"]
    assert (
        subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *words], capture_output=True).returncode == 2
    )


@pytest.mark.skipif(os.name == "nt", reason="descriptors of a shell")
def test_without_an_output_the_way_out_is_said():
    words = [sys.executable, "-m", "cslog", "metrics"]
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *words], capture_output=True)
    assert done.returncode == 1
    assert (b"--output" in done.stderr, done.stderr.count(b"\n")) == (True, 1)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is no signal there")
def test_ctrl_c_is_one_line(tmp_path):
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); import cslog.ingest as i, os\n"
    program += "i.ingest = lambda *a, **k: os.kill(os.getpid(), signal.SIGINT)\n"
    program += f"sys.argv = ['cslog', 'ingest', '--store', {str(tmp_path / 'store')!r}, {str(tmp_path)!r}]\n"
    program += "from cslog.__main__ import program; program()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert (done.returncode, done.stdout) == (130, b"")
    assert done.stderr.startswith(b"cslog: stopped; ") and done.stderr.count(b"\n") == 1
