"""The command-line contract: options, JSON, exit statuses, one-line errors, cheap start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cslog.metrics import METRICS

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_logs"
COMMANDS = ("ingest", "kpi", "explain", "status", "metrics", "readers", "profiles", "rejects")
COMMON = ("--store", "--config", "--quiet", "--json", "--format", "--output", "--language", "--help")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """``python -m cslog`` as a user runs it."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("CSLOG_", "LC_", "LANG"))
    }
    return subprocess.run(
        [sys.executable, "-m", "cslog", *arguments],
        capture_output=True,
        env=own | {"PYTHONPATH": str(ROOT)} | environment,
        check=False,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("commands") / "store")
    assert run("ingest", str(SAMPLES), "--store", folder, "--quiet").returncode == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_common_options_and_a_help_text(command):
    shown = run(command, "--help").stdout.decode()
    assert [option for option in COMMON if option not in shown] == []
    assert len(shown.split("Options:")[0].split()) > 8


def test_help_imports_nothing_heavy():
    heavy = "{'polars', 'pyarrow', 'numba', 'deltalake', 'pandas', 'numpy'}"
    code = (
        "import sys; sys.argv = ['cslog', '--help']\n"
        "from cslog.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert done.stderr.decode().strip() == "[]"


def test_ingest_json(tmp_path):
    picture = tmp_path / "screen.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    arguments = ("ingest", str(SAMPLES), str(picture), "--store", str(tmp_path / "store"), "--json")
    done = run(*arguments)
    assert done.returncode == 1  # one input failed, everything else was kept
    report = json.loads(done.stdout)
    assert set(report) == {"store_version", "files", "totals"}
    assert report["store_version"] == 1
    assert report["totals"] == {
        "files": 9, "ingested": 8, "duplicate": 0, "failed": 1, "messages_new": 437, "orders_new": 48, "rejects": 0
    }  # fmt: skip
    wanted = {
        "path", "status", "reader", "encoding", "sha256", "messages_read", "messages_new", "messages_duplicate",
        "orders_read", "orders_new", "orders_changed", "rejects", "replaced_characters", "error",
    }  # fmt: skip
    assert all(wanted <= set(file) for file in report["files"])
    failed = next(file for file in report["files"] if file["status"] == "failed")
    assert failed["error"]
    assert b"Traceback" not in done.stderr
    again = json.loads(run(*arguments).stdout)
    assert again["store_version"] == 1
    assert again["totals"]["duplicate"] == 8


def test_kpi_json(store):
    done = run("kpi", "--month", "2024-11", "--store", store, "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    head = {
        "period", "by", "profile", "attribution", "store_version", "as_of", "cslog_version", "config_hash", "warnings",
        "rows",
    }  # fmt: skip
    assert set(report) == head
    assert report["period"] == {"from": "2024-11-01", "to": "2024-11-30"}
    assert report["by"] == ["agent"]
    assert report["as_of"].endswith("+08:00")
    for row in report["rows"]:
        assert set(row) == {"shop", "agent", "immature", *(metric.key for metric in METRICS)}
    assert [row["agent"] for row in report["rows"]] == sorted(row["agent"] for row in report["rows"])
    assert b'"sales_amount": 2709.80' in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("kpi",), "no period given"),
        (("kpi", "--month", "2024-13"), "2024-13"),
        (("kpi", "--month", "2024-11", "--by", "colour"), "colour"),
        (("kpi", "--month", "2024-11", "--profile", "none"), "none"),
        (("kpi", "--month", "2024-11", "--metrics", "none"), "none"),
        (("kpi", "--month", "2024-11", "--version", "77"), "77"),
        (("kpi", "--from", "2024-11-30", "--to", "2024-11-01"), "--from"),
        (("kpi", "--month", "2024-11", "--output", "x.doc"), "x.doc"),
        (("kpi", "--month", "2024-11", "--config", "missing.toml"), "missing.toml"),
        (("ingest", "missing"), "missing"),
        (("ingest", ".", "--reader", "none"), "none"),
        (("nonsense",), "nonsense"),
        (("kpi", "--nonsense"), "--nonsense"),
    ],
)
def test_usage_errors_are_one_line_and_status_2(store, arguments, said):
    done = run(*arguments, "--store", store) if arguments[0] != "nonsense" else run(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    message = done.stderr.decode()
    assert said in message
    assert len(message.strip().split("\n")) == 1


def test_an_empty_period_is_no_error(store, tmp_path):
    for period, folder in (("2031-01", store), ("2024-11", str(tmp_path / "never"))):
        done = run("kpi", "--month", period, "--store", folder, "--json")
        assert (done.returncode, json.loads(done.stdout)["rows"]) == (0, [])
    assert not (tmp_path / "never").exists()


def test_dry_run_keeps_nothing(tmp_path):
    done = run("ingest", str(SAMPLES), "--store", str(tmp_path / "s"), "--dry-run", "--json")
    assert json.loads(done.stdout)["totals"]["messages_new"] == 437
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "gbk", "PYTHONUTF8": "0"}])
def test_foreign_consoles(store, environment):
    done = run("kpi", "--month", "2024-11", "--store", store, "--language", "zh", **environment)
    assert done.returncode == 0
    text = done.stdout.decode("gbk" if "PYTHONIOENCODING" in environment else "utf-8")
    assert "小美" in text
    assert "接待人数" in text


def test_files_hold_the_same_numbers(store, tmp_path):
    import fastexcel
    import polars as pl

    rows = json.loads(run("kpi", "--month", "2024-11", "--store", store, "--json").stdout)["rows"]
    for ending in ("csv", "xlsx", "parquet", "html"):
        target = tmp_path / f"report.{ending}"
        done = run("kpi", "--month", "2024-11", "--store", store, "-o", str(target), "-q", "--language", "en")
        assert (done.returncode, done.stdout) == (0, b"")
    assert (tmp_path / "report.csv").read_bytes().startswith(b"\xef\xbb\xbfshop,agent,")
    tables = {
        "csv": pl.read_csv(tmp_path / "report.csv"),
        "xlsx": fastexcel.read_excel(tmp_path / "report.xlsx").load_sheet(0).to_polars(),
        "parquet": pl.read_parquet(tmp_path / "report.parquet"),
    }
    for table in tables.values():
        assert table["agent"].to_list() == [row["agent"] for row in rows]
        for key in ("buyers_received", "response_avg", "sales_amount", "reply_rate"):
            for value, row in zip(table[key].to_list(), rows, strict=True):
                # A workbook holds 16 digits, one less than some fractions need.
                assert (value is None) == (row[key] is None)
                assert value is None or float(value) == pytest.approx(row[key], rel=1e-15)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "<script" not in page
