"""What lets `cslog run` start every night: a crontab line, systemd units, a Windows task. Nothing is installed.

A scheduler starts programs in an empty environment and another folder, often in the C locale. So the words of the
command name interpreter, program, store and configuration by absolute paths.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cslog.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent
_LONGEST_LINE = 990  # Debian's cron cuts a command behind 1,000 bytes
TASK = "cslog-run"


@dataclass(frozen=True)
class Part:
    """Something to be put somewhere: ``where`` says it in one line."""

    part: str
    where: str
    text: str


def launcher() -> list[str]:
    """The words that start the cslog that is running now, from anywhere and without any variable."""
    checkout = _PACKAGE.parent
    if "site-packages" in _PACKAGE.parts or "dist-packages" in _PACKAGE.parts:
        return [sys.executable, "-P", "-m", "cslog"]
    if Path(sys.prefix) == checkout / ".venv" and (checkout / ".venv" / "cslog-stamp").is_file():
        # Set up by cli.py, which also brings the environment up to date after an upgrade of Python or cslog.
        base = getattr(sys, "_base_executable", None) or sys.executable
        return [base, str(checkout / "cli.py")]
    code = f"import sys; sys.path.insert(0, {str(checkout)!r}); from cslog.__main__ import main; main()"
    return [sys.executable, "-P", "-c", code]


def words(*, store: Path, config: Path | None, inbox: Path | None, chinese: bool) -> list[str]:
    """The whole command: launcher, ``run``, and what the present call got from its environment.

    ``inbox``: when the configuration does not say it; ``chinese``: headings, when only the locale says so.
    """
    named = [
        *launcher(),
        "run",
        *([str(inbox)] if inbox else []),
        "--quiet",
        "--store",
        str(store.absolute()),
    ]
    named += ["--config", str(config)] if config else []
    named += ["--language", "zh"] if chinese else []
    for word in named:
        if re.search(r"[\x00-\x1f]", word):
            raise UsageError(
                f"{word!r} cannot be written into a schedule", "use paths without control characters"
            )
    return named


def parts(command: list[str], second: int, only: str | None = None) -> list[Part]:
    """What can be put somewhere, for a start every day at ``second`` after midnight.

    ``only``: what cron, systemd, or windows needs.
    """
    hour, minute = divmod(second // 60, 60)
    units = f"~/.config/systemd/user/{TASK}"
    found = []
    if only in (None, "cron"):
        where = "cron: type crontab -e and add this line; cron mails what a run has to say to MAILTO"
        found.append(Part("crontab", where, crontab(command, hour, minute)))
    if only in (None, "systemd"):
        where = f"systemd: {units}.service; what a run has to say: journalctl --user -u {TASK}"
        found.append(Part("service", where, service(command)))
        where = f"systemd: {units}.timer; then type: systemctl --user enable --now {TASK}.timer; loginctl enable-linger"
        found.append(Part("timer", where, timer(hour, minute)))
    if only in (None, "windows"):
        where = "Windows (任务计划程序): paste this into PowerShell; what a run has to say is in its log (运行日志)"
        found.append(Part("task", where, windows(command, hour, minute)))
    return found


def crontab(command: list[str], hour: int, minute: int) -> str:
    """One line of a crontab: quoted for sh, ``%`` escaped for cron."""
    line = f"{minute} {hour} * * *  " + shlex.join(command).replace("%", r"\%")
    if len(os.fsencode(line)) > _LONGEST_LINE:
        raise UsageError(
            f"the crontab line would be longer than the {_LONGEST_LINE} bytes that every cron takes",
            "use shorter paths, or --for systemd",
        )
    return line


def service(command: list[str]) -> str:
    """A systemd service that runs once; another run at work (75) is no failure."""
    quoted = " ".join(_unit_word(word) for word in command)
    return (
        "[Unit]\nDescription=cslog run: chat logs and reports of the day\n\n"
        f"[Service]\nType=oneshot\nExecStart={quoted}\nSuccessExitStatus=75\nNice=10"
    )


def timer(hour: int, minute: int) -> str:
    """A systemd timer that starts it every day, also later when the machine was off."""
    return (
        f"[Unit]\nDescription=cslog run, every day\n\n[Timer]\nOnCalendar=*-*-* {hour:02d}:{minute:02d}:00\n"
        "Persistent=true\n\n[Install]\nWantedBy=timers.target"
    )


def windows(command: list[str], hour: int, minute: int) -> str:
    """PowerShell that registers a task; it starts later when the machine was off, and never twice at a time."""
    program, arguments = command[0], subprocess.list2cmdline(command[1:])
    return "\n".join(
        [
            f"$action = New-ScheduledTaskAction -Execute {_powershell(program)} -Argument {_powershell(arguments)}",
            f"$trigger = New-ScheduledTaskTrigger -Daily -At {hour:02d}:{minute:02d}",
            "$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -MultipleInstances IgnoreNew",
            f"Register-ScheduledTask -TaskName {TASK} -Action $action -Trigger $trigger -Settings $settings -Force",
        ]
    )


def _unit_word(word: str) -> str:
    """A word of ExecStart: specifiers (%) and variables ($) doubled, quoted where need be."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", plain):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _powershell(text: str) -> str:
    """A literal string of PowerShell; curly apostrophes end one as well as the straight one does."""
    return "'" + re.sub("(['‘’‚‛])", r"\1\1", text) + "'"
