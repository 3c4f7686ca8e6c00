"""The line that `cslog schedule` prints, under a real cron daemon: in a mount namespace of its own, so that neither
the machine's crontabs nor its mail are touched. Needs root, cron and unshare; skipped elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import worlds
from naive import DAY, Block, Export, Line
from worlds import BEGIN, SHOP

ROOT = Path(__file__).parents[1]
CRON, CRONTAB = shutil.which("cron", path="/usr/sbin:/usr/bin"), shutil.which("crontab")
NAMESPACE = ["unshare", "--mount", "--propagation", "private"]
SPOOL = Path("/var/spool/cron/crontabs")
SENDMAIL = Path("/usr/sbin/sendmail")

# In the order: a spool, no jobs of the system, a /run (pid file), a mail program that only keeps what it is given.
PREPARE = """
set -e
mount --bind "$1/spool" /var/spool/cron/crontabs
mount --bind "$1/empty" /etc/cron.d
[ ! -e /etc/crontab ] || mount --bind "$1/none" /etc/crontab
mount --bind "$1/run" /run
[ ! -e /usr/sbin/sendmail ] || mount --bind "$1/sendmail" /usr/sbin/sendmail
crontab "$1/crontab"
exec "$2" -f
"""


def can_cron() -> bool:
    """Whether a daemon can be started apart from the machine's."""
    if not (CRON and CRONTAB and SPOOL.is_dir() and shutil.which("unshare")) or os.getuid() != 0:
        return False
    tried = subprocess.run([*NAMESPACE, "mount", "--bind", "/tmp", "/run"], capture_output=True, check=False)
    return tried.returncode == 0


def under_cron(folder: Path, crontab: str, log: Path, *, lines: int = 1, patience_s: float = 400) -> str:
    """Run a cron daemon with this crontab until ``log`` has so many lines; returns the mails, one after another."""
    for name in ("spool", "empty", "run"):
        (folder / name).mkdir(parents=True)
    (folder / "none").touch()
    (folder / "crontab").write_text(crontab, encoding="utf-8")
    mails = folder / "mails"
    (folder / "sendmail").write_text(f"#!/bin/sh\nexec cat >> '{mails}'\n", encoding="utf-8")
    (folder / "sendmail").chmod(0o755)
    daemon = subprocess.Popen([*NAMESPACE, "/bin/sh", "-c", PREPARE, "sh", str(folder), str(CRON)])
    try:
        end = time.monotonic() + patience_s
        while time.monotonic() < end and daemon.poll() is None:
            if log.is_file() and log.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.2)
        while time.monotonic() < end and mails.parent.is_dir() and _children(daemon.pid):
            time.sleep(0.1)  # the job's mail is on its way
        assert daemon.poll() is None, "the daemon ended by itself"
    finally:
        daemon.terminate()
        daemon.wait()
    return mails.read_text(encoding="utf-8", errors="replace") if mails.exists() else ""


def _children(parent: int) -> list[str]:
    return Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()


def shop_folder(folder: Path) -> Path:
    """A configured shop whose inbox holds two days with a gap between them, and a picture."""
    place = folder / "云朵 100% it's"
    (place / "收件").mkdir(parents=True)
    (place / "cslog.toml").write_text(
        'store = "数据"\n[run]\ninbox = "收件"\nsettle_s = 0\n'
        '[[run.reports]]\nperiod = "last_month"\noutput = "报表/绩效 {period}.csv"\n',
        encoding="utf-8",
    )
    for number in (-3, -1):
        at = BEGIN + number * DAY + 36_000
        lines = [Line(at, "买家", "在吗"), Line(at + 20, f"{SHOP}:小美", "亲，在的")]
        export = Export(SHOP, f"{SHOP}:小美", [Block("买家", lines)])
        (place / "收件" / f"聊天{number}.txt").write_bytes(worlds.txt_bytes(export))
    (place / "收件" / "截图.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    return place


def printed_line(place: Path) -> str:
    """The command of the crontab line, as cron gets it: behind the five fields of the time."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CSLOG_")}
    done = subprocess.run(
        [sys.executable, "-m", "cslog", "schedule", "--for", "cron"],
        cwd=place,
        env=environment | {"PYTHONPATH": str(ROOT), "LANG": "zh_CN.UTF-8", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.splitlines()[1].split("  ", 1)[1]


@pytest.mark.skipif(not can_cron(), reason="needs root, cron and unshare")
@pytest.mark.parametrize(
    "environment",
    ["", "LC_ALL=C\nHOME=/proc\nLOGNAME=nobody\nPATH=/nonexistent\n"],
    ids=["as cron has it", "C locale and a home that cannot be written"],
)
def test_the_printed_line_runs_under_cron(tmp_path, environment):
    place = shop_folder(tmp_path)
    command = printed_line(place)
    log = place / "收件" / "cslog-run.log"
    crontab = f"MAILTO=root\n{environment}@reboot  {command} --today 2024-12-01\n"
    mail = under_cron(tmp_path / "cron", crontab, log)
    (line,) = [json.loads(text) for text in log.read_text(encoding="utf-8").splitlines()]
    assert (line["status"], line["exit_status"]) == ("failed", 1)  # the picture
    assert sorted(path.name for path in (place / "收件" / "done").rglob("*.txt")) == [
        "聊天-1.txt",
        "聊天-3.txt",
    ]
    assert [path.name for path in (place / "收件" / "failed").rglob("*.png")] == ["截图.png"]
    (report,) = (place / "报表").iterdir()
    assert report.name == "绩效 2024-11.csv"
    content = report.read_text(encoding="utf-8-sig")
    assert content.startswith("店铺,客服")
    assert "小美" in content
    assert line["missing_days"] == {SHOP: ["2024-11-26", "2024-11-28", "2024-11-29", "2024-11-30"]}
    if SENDMAIL.exists():
        assert "2024-11-26" in mail  # the missing day reaches the user
        assert "is a picture" in mail
        assert "在吗" not in mail
