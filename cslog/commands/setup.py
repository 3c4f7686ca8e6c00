"""`cslog demo` and `cslog warm`: the first minutes after the installation."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from cslog.commands import app
from cslog.commands.session import Session, with_session
from cslog.errors import UsageError

DEMO_MONTH = "2024-11"


@app.command()
@with_session
def demo(session: Session) -> None:
    """Ingest the invented shop of sample_logs into a store of its own and show its month (演示)."""
    from cslog import ingest as library
    from cslog.commands.figures import kpi

    samples = Path(__file__).resolve().parents[2] / "sample_logs"
    if not samples.is_dir():
        raise UsageError(
            "sample_logs is not beside cslog", "run the demo from a checkout: python3 cli.py demo"
        )
    if Path.cwd() in samples.parents:
        samples = samples.relative_to(Path.cwd())
    settings = session.settings()
    with tempfile.TemporaryDirectory(prefix="cslog-demo-") as folder:
        store = replace(session, store=session.store or folder)
        session.say(f"$ cslog ingest {samples}")
        report = library.ingest([str(samples)], store.open_store(settings), settings)
        for file in report.files:
            session.say(f"{file.path}: {file.messages_new} new messages, {file.orders_new} new orders")
        session.say("")
        session.say(f"$ cslog kpi --month {DEMO_MONTH}")
        kpi(month=DEMO_MONTH, **asdict(store))


@app.command(hidden=True)
def warm() -> None:
    """Compile the loops now, so that neither the first ingest nor the first report waits for it."""
    from cslog import numba_cache

    numba_cache.compile_all("cslog.kernels", "cslog.scan")
