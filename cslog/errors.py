"""Expected failures. Each says what is wrong, where, and what to type next, in one line."""

from __future__ import annotations

import traceback
from pathlib import PurePath


def one_line(message: str) -> str:
    """The message without line ends and without characters that steer a terminal; names in files may hold any."""
    return message.translate(_STEERING)


_STEERING = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")


class CslogError(Exception):
    """An expected failure: shown as one line, never as a traceback.

    The message must not contain anything that a buyer wrote.
    """

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}; {hint}" if hint else message)


class UsageError(CslogError):
    """The command line or the configuration is wrong."""

    exit_status = 2


class ReadError(CslogError):
    """One input file cannot be read; the other files go on."""


class StoreError(CslogError):
    """The store cannot be opened, written or understood."""


class StoreMovedError(StoreError):
    """The store's tables were replaced while they were read or written: the same again works."""


def steps_of(error: BaseException) -> list[str]:
    """Where something unexpected was raised, outermost first, without what the exception says.

    Libraries quote the values that they choke on, and a value can be what a buyer wrote.
    """
    return [
        f"{'/'.join(PurePath(step.filename).parts[-3:])}:{step.lineno} in {step.name}"
        for step in traceback.extract_tb(error.__traceback__)
    ]
