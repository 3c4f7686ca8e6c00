"""`cslog demo` and `cslog warm`: the first minutes after the installation."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cslog.commands import app
from cslog.commands.session import Session, with_session
from cslog.errors import UsageError

DEMO_MONTH = "2024-11"


@app.command()
@with_session
def demo(session: Session) -> None:
    """Ingest the invented shop of sample_logs into a store of its own and show its month (演示)."""
    from cslog.commands.figures import kpi
    from cslog.commands.files import ingest

    samples = Path(__file__).resolve().parents[2] / "sample_logs"
    if not samples.is_dir():
        raise UsageError(
            "sample_logs is not beside cslog", "run the demo from a checkout: python3 cli.py demo"
        )
    if Path.cwd() in samples.parents:
        samples = samples.relative_to(Path.cwd())
    with tempfile.TemporaryDirectory(prefix="cslog-demo-") as folder:
        common = {"store": session.store or folder, "quiet": session.quiet, "language": session.language}
        session.say(f"$ cslog ingest {samples}")
        ingest([str(samples)], **common)
        session.say(f"\n$ cslog kpi --month {DEMO_MONTH}")
        kpi(month=DEMO_MONTH, **common)


@app.command(hidden=True)
def warm() -> None:
    """Compile the kernels now, so that the first report does not wait for it."""
    from cslog.kernels import attribution, concurrency, owners, threads  # noqa: F401  (importing compiles)
