"""What `cslog schedule` prints starts the run: from an empty environment, another folder and the C locale."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import worlds
from naive import Block, Export, Line
from worlds import BEGIN, SHOP

from cslog import schedule
from cslog.__main__ import main
from cslog.errors import UsageError

ROOT = Path(__file__).parents[1]
AWKWARD = ["/usr/bin/python3", '/a b/%d $HOME/it\'s "q"/`x`/云朵;&|', "back\\slash\\", "plain", "^!#~", "‘’"]


@pytest.fixture
def place(tmp_path) -> Path:
    """A configured shop in a folder with an awkward name, and a file in its inbox."""
    folder = tmp_path / "云朵 100%d $HOME it's"
    (folder / "收件").mkdir(parents=True)
    (folder / "cslog.toml").write_text(
        'store = "数据"\n[run]\ninbox = "收件"\nsettle_s = 0\n'
        '[[run.reports]]\nperiod = "last_month"\noutput = "月报 {period}.csv"\n',
        encoding="utf-8",
    )
    lines = [Line(BEGIN, "买家", "在吗"), Line(BEGIN + 20, f"{SHOP}:小美", "亲，在的")]
    export = Export(SHOP, f"{SHOP}:小美", [Block("买家", lines)])
    (folder / "收件" / "聊天记录.txt").write_bytes(worlds.txt_bytes(export))
    return folder


@pytest.fixture
def cslog(monkeypatch, capsysbinary):
    """`cslog schedule` as typed in a folder: (status, stdout, stderr)."""

    def call(folder: Path, *words: str, **environment: str) -> tuple[int, str, str]:
        for name in ("CSLOG_STORE", "CSLOG_CONFIG", "LC_ALL", "LC_MESSAGES", "LANG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["cslog", "schedule", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsysbinary.readouterr()
        return ended.value.code, told.out.decode(), told.err.decode()

    return call


@pytest.fixture
def printed(cslog):
    """The parts of what it prints."""

    def call(folder: Path, *words: str, **environment: str) -> list[dict]:
        status, out, err = cslog(folder, *words, "--json", **environment)
        assert status == 0, err
        return json.loads(out)["schedule"]

    return call


def test_everything_is_printed_and_one_alone(place, printed):
    assert [part["part"] for part in printed(place)] == ["crontab", "service", "timer", "task"]
    for only, names in (("cron", ["crontab"]), ("systemd", ["service", "timer"]), ("windows", ["task"])):
        assert [part["part"] for part in printed(place, "--for", only)] == names


def test_the_text_can_be_appended_to_a_crontab(place, cslog):
    status, out, _ = cslog(place, "--for", "cron", "--at", "23:05")
    assert status == 0
    lines = out.splitlines()
    assert lines[0].startswith("# ")
    assert lines[1].startswith("5 23 * * *  /")
    assert [line for line in lines[2:] if line] == []
    assert "%" not in lines[1].replace(r"\%", "")


@pytest.mark.skipif(os.name == "nt", reason="needs sh")
def test_the_crontab_line_runs_in_an_empty_environment(place, printed):
    (part,) = printed(place, "--for", "cron", LANG="zh_CN.UTF-8")
    command = part["text"].split("  ", 1)[1].replace(r"\%", "%")  # as cron does before it calls sh
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd="/",
        env={"LANG": "C", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""
    (moved,) = (place / "收件" / "done").rglob("*.txt")
    assert moved.name == "聊天记录.txt"
    assert (place / "数据" / "ledger").is_dir()
    (line,) = (place / "收件" / "cslog-run.log").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["files"][0]["parts"][0]["messages_new"] == 2
    (report,) = place.glob("月报 *.csv")
    assert report.read_text(encoding="utf-8-sig").startswith(
        "店铺,"
    )  # headings of the locale that it was made in


def test_what_the_environment_said_is_in_the_words(place, printed, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {"CSLOG_STORE": "s", "CSLOG_CONFIG": str(place / "cslog.toml")}
    (part,) = printed(elsewhere, "--for", "cron", **environment)
    assert f"--store {elsewhere / 's'}" in part["text"]
    assert "cslog.toml" in part["text"]
    (part,) = printed(elsewhere, str(tmp_path), "--for", "cron")
    assert f" run {tmp_path} " in part["text"]
    assert "--config" not in part["text"]


def test_an_inbox_is_needed_and_a_time(cslog, tmp_path):
    for words in ([], [str(tmp_path), "--at", "25:00"], [str(tmp_path), "--for", "launchd"]):
        status, out, err = cslog(tmp_path, *words)
        assert (status, out) == (2, "")
        assert err.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs sh")
def test_crontab_words_come_back_from_sh():
    line = schedule.crontab(AWKWARD, 3, 20)
    assert line.startswith("20 3 * * *  ")
    assert "%" not in line.replace(r"\%", "")
    shown = line.split("  ", 1)[1].replace(r"\%", "%")
    script = f"{sys.executable} -c 'import sys, json; print(json.dumps(sys.argv[1:]))' {shown}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    assert json.loads(done.stdout) == AWKWARD


def test_a_crontab_line_that_cron_would_cut_is_refused():
    with pytest.raises(UsageError):
        schedule.crontab(["/usr/bin/python3", "/数据" * 200], 3, 20)


def test_line_breaks_are_refused():
    with pytest.raises(UsageError):
        schedule.words(store=Path("/a\nb"), config=None, inbox=None, chinese=False)


def unit_words(line: str) -> list[str]:
    """The words of ExecStart= as systemd.service(5) takes them apart."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line)
    plain = (re.sub(r"\\(.)", r"\1", quoted) if quoted else bare for quoted, bare in words)
    return [word.replace("%%", "%").replace("$$", "$") for word in plain]


def test_unit_words_come_back_from_systemd():
    text = schedule.service(AWKWARD)
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert not re.search(r"(?<!%)%(?!%)", line.replace("%%", ""))
    assert unit_words(line) == AWKWARD


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_accepts_the_units(tmp_path):
    command = [sys.executable, *AWKWARD[1:]]
    (tmp_path / "cslog-run.service").write_text(schedule.service(command), encoding="utf-8")
    (tmp_path / "cslog-run.timer").write_text(schedule.timer(3, 20), encoding="utf-8")
    done = subprocess.run(
        [
            "systemd-analyze",
            "verify",
            "--man=no",
            str(tmp_path / "cslog-run.timer"),
            str(tmp_path / "cslog-run.service"),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if "Failed to" in done.stderr and str(tmp_path) not in done.stderr:
        pytest.skip("systemd-analyze cannot work here")
    assert done.returncode == 0, done.stderr
    assert "cslog-run" not in done.stderr


def windows_words(line: str) -> list[str]:
    """A command line as the C runtime of Windows takes it apart."""
    words, word, quoted, begun, position = [], "", False, False, 0
    while position < len(line):
        slashes = len(re.match(r"\\*", line[position:])[0])
        following = line[position + slashes : position + slashes + 1]
        if slashes:
            begun = True
            word += "\\" * (slashes // 2 if following == '"' else slashes)
            position += slashes
            if following == '"' and slashes % 2:
                word += '"'
                position += 1
            continue
        if following == '"':
            quoted, begun = not quoted, True
        elif following in " \t" and not quoted:
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word += following
            begun = True
        position += 1
    return [*words, word] if begun else words


def test_windows_words_come_back_from_powershell():
    text = schedule.windows(AWKWARD, 3, 5)
    (found,) = re.findall(r"-Execute '((?:[^']|'')*)' -Argument '((?:[^']|'')*)'$", text, re.MULTILINE)
    program, arguments = (re.sub("(['‘’‚‛])\\1", r"\1", one) for one in found)
    assert [program, *windows_words(arguments)] == AWKWARD
    assert "-Daily -At 03:05" in text


def launched(monkeypatch, checkout: Path, prefix: Path) -> list[str]:
    package = checkout / "cslog"
    package.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(schedule, "_PACKAGE", package)
    monkeypatch.setattr(sys, "prefix", str(prefix))
    return schedule.launcher()


def test_the_launcher_is_the_one_in_use(monkeypatch, tmp_path):
    checkout = tmp_path / "cslog"
    own = checkout / ".venv"
    own.mkdir(parents=True)
    other = launched(monkeypatch, checkout, tmp_path / "other")
    assert other[:3] == [
        sys.executable,
        "-P",
        "-c",
    ]  # started without cli.py: it must not set anything up at night
    assert repr(str(checkout)) in other[3]
    assert launched(monkeypatch, checkout, own)[2] == "-c"
    (own / "cslog-stamp").write_text("", encoding="utf-8")
    assert launched(monkeypatch, checkout, own)[1:] == [str(checkout / "cli.py")]
    installed = tmp_path / "lib" / "python3.12" / "site-packages"
    assert launched(monkeypatch, installed, tmp_path) == [sys.executable, "-P", "-m", "cslog"]
