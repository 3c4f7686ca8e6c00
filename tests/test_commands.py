"""The command-line contract: options, JSON, exit statuses, one-line errors, cheap start-up."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from cslog import __version__, generations
from cslog.__main__ import main
from cslog.commands import FAMILIES, app
from cslog.errors import StoreError
from cslog.metrics import METRICS

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_logs"
COMMANDS = (
    "ingest", "kpi", "explain", "status", "metrics", "readers", "profiles", "rejects", "roster", "attribution", "orders",
    "list", "report", "freeze", "frozen", "corrections", "compact", "run", "schedule",
    "history", "forget", "export",
)  # fmt: skip
COMMON = ("--store", "--config", "--quiet", "--json", "--format", "--output", "--language", "--help")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """``python -m cslog`` as a user runs it."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("CSLOG_", "LC_", "LANG"))
    }
    return subprocess.run(
        [sys.executable, "-m", "cslog", *arguments],
        capture_output=True,
        env=own | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"} | environment,
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


def imported(*words: str) -> set[str]:
    """The heavy packages that a command imports."""
    code = (
        f"import sys; sys.argv = ['cslog', *{list(words)}]\n"
        "from cslog.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('imported', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    modules = done.stderr.decode().splitlines()[-1].split()
    return {"polars", "pyarrow", "numba", "deltalake", "pandas", "numpy"} & set(modules)


def test_help_imports_nothing_heavy():
    assert imported("--help") == set()


def test_commands_import_only_what_they_need(store):
    """Compiled loops and pyarrow each take as long as a small report."""
    assert imported("metrics", "--json") <= {"polars", "numpy"}
    assert imported("status", "--store", store, "--json") <= {"polars", "deltalake", "numpy"}
    assert "pyarrow" not in imported("kpi", "--store", store, "--month", "2024-11", "--json")
    known = imported("ingest", str(SAMPLES), "--store", store, "--quiet")
    assert "numba" not in known, "files that are known are passed over without compiled loops"


def test_a_command_is_found_without_the_others():
    """``FAMILIES`` says where each command is, so that the modules of the others are not imported."""
    assert sorted(name for names in FAMILIES.values() for name in names) == sorted(REGISTERED)
    families = {name: family for family, names in FAMILIES.items() for name in names}
    code = (
        "import sys, typer.main\nfrom cslog.commands import FAMILIES, app, register\n"
        "register(sys.argv[1:])\n"
        "print(*typer.main.get_command(app).commands)"
    )
    for name in ("kpi", "forget", "list"):
        done = subprocess.run(
            [sys.executable, "-c", code, name, "--help"],
            capture_output=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
        )
        assert done.stdout.decode().split() == list(FAMILIES[families[name]])


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
        "files": 9, "ingested": 8, "duplicate": 0, "failed": 1, "messages_new": 448, "orders_new": 48, "rejects": 0,
        "messages_forgotten": 0, "orders_forgotten": 0, "messages_expired": 0, "orders_expired": 0,
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
        "period", "by", "profile", "clock", "attribution", "lookup", "store_version", "as_of", "cslog_version", "config_hash", "warnings",
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
        (("ingest", ""), "a path is empty"),
        (("forget", "--before", "foo"), "--before foo"),
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
    assert json.loads(done.stdout)["totals"]["messages_new"] == 448
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


# ---- the rest in this process ---------------------------------------------------------------------

REGISTERED = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OWN = {
    "ingest": ("--shop", "--reader", "--mapping", "--dry-run"),
    "kpi": (
        "--month", "--day", "--from", "--to", "--by", "--profile", "--attribution", "--shop", "--agent", "--metrics",
        "--as-of", "--version",
    ),
    "roster": ("--month", "--day", "--from", "--to", "--shop", "--agent"),
    "freeze": ("--month", "--profile", "--attribution", "--shop", "--as-of", "--again"),
    "frozen": ("--month", "--by", "--profile", "--attribution", "--shop", "--id"),
    "corrections": ("--month", "--profile", "--attribution", "--shop"),
}  # fmt: skip


@pytest.fixture
def cslog(monkeypatch, capsysbinary, tmp_path):
    """Run the program as its entry point does: (exit status, stdout, stderr)."""
    for name in [name for name in os.environ if name.startswith("CSLOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cslog", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsysbinary.readouterr()
        return ended.value.code, out.decode(), err.decode()

    return call


@pytest.mark.parametrize("name", sorted(REGISTERED))
def test_help_explains_the_command_and_its_every_option(cslog, name):
    status, shown, said = cslog(name, "--help")
    assert (status, said) == (0, "")
    command = REGISTERED[name]
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert all(option in shown for option in parameter.opts)
            assert parameter.help, parameter.name
    for option in OWN.get(name, ()):
        assert option in shown.split()


def test_every_command_is_known_to_this_file():
    assert {name for name, command in REGISTERED.items() if not command.hidden} == {*COMMANDS, "demo"}


def test_a_bare_cslog_and_its_version(cslog):
    status, shown, _ = cslog()
    assert status == 0
    assert all(name in shown for name in COMMANDS)
    assert cslog("--version") == (0, f"cslog {__version__}\n", "")


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_a_failed_file_is_said_on_stderr_and_the_rest_is_kept(cslog, tmp_path, quiet):
    (tmp_path / "bad.txt").write_text("my diary\n" * 3, encoding="utf-8")
    copy = SAMPLES / "qn-copy" / "晴天小屋.txt"
    status, shown, said = cslog("ingest", tmp_path / "bad.txt", copy, "--store", "s", *quiet)
    assert status == 1
    assert "1 failed" in shown
    assert "bad.txt: unknown format" in said
    assert said.count(str(tmp_path)) == 1
    assert "Traceback" not in said
    assert "diary" not in said
    assert json.loads(cslog("status", "--store", "s", "--json")[1])["files"] == 1


def test_stdout_is_the_result_alone(cslog, store):
    for arguments in (
        ("kpi", "--month", "2024-11"),
        ("status",),
        ("metrics",),
        ("readers",),
        ("profiles",),
        ("rejects",),
    ):
        status, shown, said = cslog(*arguments, "--store", store, "--json")
        assert status == 0
        json.loads(shown)
        assert cslog(*arguments, "--store", store, "--json", "--quiet") == (0, shown, "")
        if arguments[0] == "kpi":
            assert "warning:" in said


def test_the_format_comes_from_the_option_or_the_ending(cslog, store, tmp_path):
    same = cslog("kpi", "--month", "2024-11", "--store", store, "--json")[1]
    assert cslog("kpi", "--month", "2024-11", "--store", store, "--format", "json")[1] == same
    _, shown, said = cslog("kpi", "--month", "2024-11", "--store", store, "-o", "new/report.JSON")
    assert (shown, said.strip().split("\n")[-1]) == ("", "wrote new/report.JSON")
    assert (tmp_path / "new" / "report.JSON").read_text(encoding="utf-8") == same
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "report.JSON"]
    cslog("kpi", "--month", "2024-11", "--store", store, "-o", "report.txt", "--format", "csv")
    assert (tmp_path / "report.txt").read_bytes().startswith(b"\xef\xbb\xbf")
    status, _, said = cslog("kpi", "--month", "2024-11", "--store", store, "--json", "--format", "csv")
    assert (status, said.count("\n")) == (2, 1)


def test_where_the_store_is_looked_for(cslog, store, monkeypatch):
    with_option = cslog("status", "--store", store, "--json")
    monkeypatch.setenv("CSLOG_STORE", store)
    assert cslog("status", "--json") == with_option
    monkeypatch.delenv("CSLOG_STORE")
    Path("cslog.toml").write_text(f"store = {json.dumps(store)}\n", encoding="utf-8")
    assert cslog("status", "--json") == with_option
    Path("cslog.toml").rename("other.toml")
    assert cslog("status", "--json", "--config", "other.toml") == with_option


def test_groupings(cslog, store):
    def rows(*arguments: str) -> list[dict]:
        return json.loads(cslog("kpi", "--month", "2024-11", "--store", store, "--json", *arguments)[1])[
            "rows"
        ]

    for by in ("shop", "agent", "day", "week", "month", "hour", "agent,day", "day,agent", "shop,agent"):
        names = list(dict.fromkeys(["shop", *by.split(",")]))
        found = rows("--by", by)
        keys = [tuple(row[name] for name in names) for row in found]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys) > 0
        assert list(found[0])[: len(names)] == names
    (row,) = rows("--agent", "小美", "--metrics", "turns,sales_amount")
    assert set(row) == {"shop", "agent", "turns", "sales_amount", "immature"}
    assert [row["agent"] for row in rows("--agent", "小美", "--agent", "阿强")] == ["小美", "阿强"]
    status, _, said = cslog("kpi", "--month", "2024-11", "--store", store, "--shop", "没有这家店")
    assert (status, said.count("\n")) == (2, 1)
    assert "云朵家居旗舰店" in said


def test_figures_that_are_not_final_yet(cslog, store):
    command = ("kpi", "--day", "2024-11-30", "--store", store, "--json", "--as-of", "2024-11-30")
    report = json.loads(cslog(*command)[1])
    assert report["as_of"] == "2024-11-30T23:59:59+08:00"
    (row,) = [row for row in report["rows"] if row["agent"] == "小丽"]
    assert row["immature"] == sorted(row["immature"])
    assert {"inquiries", "inquiries_paid", "orders_lost"} <= set(row["immature"])
    assert all(row[key] is None for key in row["immature"])
    assert row["buyers_received"] == 1
    assert any("not final" in warning for warning in report["warnings"])


def test_an_older_version_of_the_store(cslog):
    first, second = SAMPLES / "qn-txt" / "小美_20241101-20241120.txt", SAMPLES / "tb-orders"
    cslog("ingest", first, "--store", "s")
    before = json.loads(cslog("kpi", "--month", "2024-11", "--store", "s", "--json")[1])
    cslog("ingest", second, "--store", "s")
    again = json.loads(cslog("kpi", "--month", "2024-11", "--store", "s", "--json", "--version", "1")[1])
    assert again == before
    after = json.loads(cslog("kpi", "--month", "2024-11", "--store", "s", "--json")[1])
    assert after["store_version"] == 2
    assert after["rows"] != before["rows"]


def test_a_damaged_store_is_one_line_and_status_1(cslog):
    cslog("ingest", SAMPLES / "qn-copy", "--store", "s")
    for file in Path("s/messages/_delta_log").iterdir():
        file.unlink()
    for command in (("status",), ("kpi", "--month", "2024-11")):
        status, shown, said = cslog(*command, "--store", "s")
        assert (status, shown) == (1, "")
        assert said.count("\n") == 1
        assert "Traceback" not in said


def test_a_store_that_may_not_be_read_is_not_called_damaged(cslog, monkeypatch):
    Path("file").write_text("no store", encoding="ascii")
    if os.name != "nt":
        status, shown, said = cslog("status", "--store", "file")
        assert (status, shown) == (1, "") and "is a file and no folder" in said and said.count("\n") == 1

    def denied(self, *given, **named):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(StoreError, match=r"cannot be read: Permission denied; check the folder's rights"):
        generations.root_of(Path("s"))
