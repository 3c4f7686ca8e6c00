"""Entry point of ``cslog``, ``python -m cslog`` and the root's ``cli.py``."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import threading
from typing import NoReturn

from cslog.engine import memory
from cslog.errors import CslogError, one_line, steps_of

_INTERRUPTED = 130
_STOPPED = "stopped; what was not finished is not kept: type the same again"


def main() -> NoReturn:
    """Run the command line; expected failures end as one line and the contract's exit status."""
    if sys.stderr is None:  # closed by a scheduler: what we say there is for nobody
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        # A C locale or a GBK console must not make a nick with an emoji fatal.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    memory.use_one_heap()
    try:
        from cslog.commands import app, register

        words = sys.argv[1:] or ["--help"]
        register(words)
        status = app(words, prog_name="cslog", standalone_mode=False)
    except CslogError as error:
        sys.exit(_fail(one_line(str(error)), error.exit_status))
    except KeyboardInterrupt:
        sys.exit(_fail(_STOPPED, _INTERRUPTED))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except BaseException as error:
        # Typer's own usage errors; its classes are private, their message is not.
        shown = getattr(error, "format_message", None)
        if shown is None:
            if type(error).__name__ == "Abort":
                sys.exit(_fail(_STOPPED, _INTERRUPTED))
            if isinstance(error, SystemExit | GeneratorExit) or os.environ.get("CSLOG_TRACEBACK"):
                raise
            sys.exit(_fail(_crash_report(error), 1))
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "cslog"
        sys.exit(_fail(f"{' '.join(shown().split())} See `{command} --help`.", 2))
    if status == _INTERRUPTED:  # Typer makes this of Ctrl-C, and says nothing
        _fail(_STOPPED, _INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def program() -> None:
    """``main`` as a process of its own, which ends as soon as all is written.

    Python would first take apart what was imported, which costs a short report a sixth of its time.
    """
    # What imports make stays, a quarter of a million objects: looking through them even twice is a twentieth of a
    # start.
    gc.set_threshold(500_000)
    try:
        main()
    except SystemExit as end:
        status = end.code
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    if not isinstance(status, int) or any(not thread.daemon for thread in others):
        sys.exit(status)
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # a scheduler may have started us with closed ones
                stream.flush()
    except (OSError, ValueError):  # a full disk, a closed stream: Python knows what to say
        sys.exit(status)
    os._exit(status)


def _crash_report(error: BaseException) -> str:
    """What a user can send us: where cslog failed, and no text of any message."""
    return "\n".join(
        [
            f"failed unexpectedly ({type(error).__name__}); please report this with the lines below. "
            "CSLOG_TRACEBACK=1 shows all, perhaps with texts of messages",
            *(f"  {step}" for step in steps_of(error)),
        ]
    )


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"cslog: {message}\n")
    return status


if __name__ == "__main__":
    program()
