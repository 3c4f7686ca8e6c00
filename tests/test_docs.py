"""The documents say what the program does: pages generated from it are fresh, whatever they name exists,
whatever exists is named, their examples work, and no link leads nowhere.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
import typing
from pathlib import Path

import msgspec
import polars as pl
import pytest
import typer.main

from cslog import clock, config, roster, roster_sheets, routine, tables
from cslog.commands import app
from cslog.commands.session import Format
from cslog.credit_rules import RULES
from cslog.metrics import METRICS
from cslog.readers import mapping_settings, registry
from cslog.readers.base import Options
from cslog.readers.head import Head
from cslog.split import DIMENSIONS

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
PAGES = [*READMES, *sorted((ROOT / "docs").glob("*.md")), ROOT / "sample_logs" / "README.md"]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
COMMANDS |= {
    f"{name} {below}": command
    for name, group in list(COMMANDS.items())
    for below, command in getattr(group, "commands", {}).items()
}
LAUNCHER_ONLY = {"test"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return [body for named, body in _FENCE.findall(text_of(page)) if named == language]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text_of(page))


def section(page: Path, title: str) -> str:
    """The part of a page below a heading, up to the next of its level or a higher one."""
    level = len(title) - len(title.lstrip("#"))
    found = re.search(rf"^{re.escape(title)}.*?\n(.*?)(?=^#{{1,{level}}} |\Z)", text_of(page), re.M | re.S)
    assert found, f"{page.name} has no heading {title}"
    return found[1]


def command_lines(page: Path) -> list[str]:
    """Every line of the page's sh and crontab blocks, without comments."""
    lines = [
        line for language in ("sh", "crontab") for body in blocks(page, language) for line in body.split("\n")
    ]
    return [bare for line in lines if (bare := re.sub(r"(?:^|\s+)# ?.*$", "", line).strip())]


def calls(page: Path) -> list[list[str]]:
    """The words behind `cslog`, `cli.py` or `-m cslog` of everything the page tells to type."""
    inline = re.findall(r"`((?:cslog|python3? cli\.py|py cli\.py) [^`]+)`", prose(page))
    found = []
    for line in command_lines(page) + inline:
        line = re.sub(r"\$\([^)]*\)", "2024-11", line)  # what a shell would put in
        start = re.search(r"(?:^|\s)(?:\S*cli\.py|cslog|-m cslog)\s+(?=[a-z-])", line)
        if start and not line.startswith(("uv ", "pipx ")):
            found.append(shlex.split(line[start.end() :]))
    return found


def options_of(command: str) -> set[str]:
    return {option for parameter in COMMANDS[command].params for option in parameter.opts} | {"--help", "-h"}


@pytest.fixture(scope="session")
def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_fresh(generator):
    stale = [path.name for path in generator.stale(generator.pages())]
    assert not stale, f"{', '.join(stale)}: run python docs/generate.py"


def test_generated_pages_do_not_depend_on_the_terminal(generator, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    (tmp_path / "cslog.toml").write_text('language = "zh"\n[shops."甲"]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert not generator.stale(generator.pages())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_whatever_is_told_to_be_typed_exists(page):
    for words in calls(page):
        if not words[0].startswith("-"):
            assert words[0] in COMMANDS.keys() | LAUNCHER_ONLY | {"COMMAND"}, words
        if words[0] in COMMANDS:
            below = " ".join(words[:2])
            if hasattr(COMMANDS[words[0]], "commands") and words[1:2] != ["NAME"]:
                assert words[0] == words[-1] or words[1].startswith("-") or below in COMMANDS, words
            known = options_of(below if below in COMMANDS else words[0])
            named = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            assert named <= known, f"{' '.join(words)}: no {named - known}"


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_options_named_alone_exist(page):
    every = set().union(*map(options_of, COMMANDS))
    named = set(re.findall(r"`(--[a-z-]+)", prose(page)))
    assert named, "the READMEs name options"
    assert named <= every


def test_the_readmes_tell_the_same_commands():
    english, chinese = (command_lines(page) for page in READMES)
    assert english == chinese
    assert english[:2] == ["python3 cli.py demo", "python3 cli.py test"]


def test_the_readmes_have_the_same_sections_and_links():
    def links(page: Path) -> list[str]:
        targets = (target for target in re.findall(r"\]\(([^)]+)\)", prose(page)) if "README" not in target)
        return sorted(set(targets))

    assert links(READMES[0]) == links(READMES[1])
    levels = [re.findall(r"^#+ ", prose(page), re.MULTILINE) for page in READMES]
    assert levels[0] == levels[1]


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_the_readmes_are_short_and_name_what_there_is(page):
    text = text_of(page)
    assert text.count("\n") <= 120
    for reader in registry.builtin_readers():
        assert f"| `{reader.id}` |" in text
    for name in [*RULES, *(form for form in Format if form != "table")]:
        assert f"`{name}`" in text


def test_every_command_is_documented():
    page = text_of(ROOT / "docs" / "cli.md")
    for name, command in COMMANDS.items():
        assert command.help, f"cslog {name} has no description"
        if not command.hidden:
            assert f"\n## cslog {name}\n" in page
            undescribed = [p.name for p in command.params if not getattr(p, "help", None)]
            assert not undescribed, f"cslog {name}: {undescribed}"


def test_every_metric_is_documented(generator):
    page = text_of(ROOT / "docs" / "metrics.md")
    known = {name for name, _ in generator._SOURCES}
    for metric in METRICS:
        assert f"| `{metric.key}` | {metric.zh} |" in page
        assert metric.source in known or set(metric.source.split()) <= known, metric.source


def test_the_options_that_take_words_name_all_of_them():
    helps = {parameter.name: parameter.help for parameter in COMMANDS["kpi"].params}
    assert set(DIMENSIONS) <= set(re.findall(r"\w+", helps["by"]))
    assert set(RULES) <= set(re.findall(r"\w+", helps["attribution"]))


def struct_in(hint: object) -> tuple[str, type | None]:
    """The struct that a field's type holds, if any, and how its key goes on: a table by name is written ``*``."""
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is dict:
        return ".*", struct_in(parts[1])[1]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "", hint
    return "", next((found for part in parts if (found := struct_in(part)[1])), None)


def keys_of(struct: type, prefix: str = "") -> list[str]:
    """Dotted keys of a configuration struct; a table per shop is written ``*``."""
    found = []
    for item in msgspec.structs.fields(struct):
        key = prefix + item.encode_name
        found.append(key)
        joint, inner = struct_in(item.type)
        if inner:
            found += keys_of(inner, f"{key}{joint}.")
    return found


def keys_given(table: dict, struct: type, prefix: str = "") -> set[str]:
    """The same of what an example gives."""
    found = set()
    for item in msgspec.structs.fields(struct):
        if item.encode_name not in table:
            continue
        key, value = prefix + item.encode_name, table[item.encode_name]
        found.add(key)
        joint, inner = struct_in(item.type)
        tables = value if isinstance(value, list) else value.values() if joint else [value]
        for one in tables if inner else ():
            found |= keys_given(one, inner, f"{key}{joint}.")
    return found


def test_every_configuration_key_is_documented():
    named = re.findall(
        r"^\| `([^`]+)` \|", section(ROOT / "docs" / "configuration.md", "## Keys"), re.MULTILINE
    )
    assert sorted(named) == sorted(keys_of(config.Written))


def test_every_environment_variable_is_documented():
    table = section(ROOT / "docs" / "configuration.md", "## Environment variables")
    sources = [*(ROOT / "cslog").rglob("*.py"), ROOT / "cli.py"]
    read = set().union(*(re.findall(r"\bCSLOG_[A-Z]+\b", text_of(path)) for path in sources))
    named = set(re.findall(r"`(CSLOG_[A-Z]+)`", table))
    assert read == named


def test_configuration_examples_are_read(tmp_path):
    examples = blocks(ROOT / "docs" / "configuration.md", "toml")
    assert len(examples) > 1
    for content in examples:
        file = tmp_path / "cslog.toml"
        file.write_text(content, encoding="utf-8")
        assert config.load(str(file)).shops
    whole = tomllib.loads(examples[0])
    assert keys_given(whole, config.Written) == set(keys_of(config.Written)), (
        "the first example shows every key"
    )


def test_the_roster_sheet_shown_is_understood(tmp_path, monkeypatch):
    page = ROOT / "docs" / "configuration.md"
    (name,) = set(re.findall(r"`(排班_\S+\.csv)`", prose(page)))
    (tmp_path / name).write_text(blocks(page, "csv")[0], encoding="gbk")
    example = next(body for body in blocks(page, "toml") if f'roster_files = ["{name}"]' in body)
    (tmp_path / "cslog.toml").write_text(example, encoding="utf-8")
    month = clock.Period.of(month="2024-11")
    works, agents = roster.worked(config.load(str(tmp_path / "cslog.toml")), month.first_day, month.last_day)
    found = [(work.agent, clock.date_of(work.day).day, work.shift) for work in works]
    assert {agent for _, agent in agents} == {"小美", "小丽"}
    assert found == [
        ("小丽", 1, "晚班"), ("小丽", 3, "早班"),
        ("小美", 1, "白班"), ("小美", 2, "白班"), ("小美", 2, "晚班"), ("小美", 4, "白班"),
    ]  # fmt: skip
    named = section(page, "## Roster sheets").split("*Off* is")[1].split(". Who")[0]
    for word in re.findall(r"[\u4e00-\u9fff]+|`-`", named):
        assert roster_sheets.parts(word.strip("`")) == [], word


def test_every_mapping_key_is_documented():
    table = section(ROOT / "docs" / "formats.md", "### All keys")
    named = set(re.findall(r"`([^`\"]+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))))
    settings = set(keys_of(mapping_settings.TableSettings)) | set(keys_of(mapping_settings.LinesSettings))
    settings = {key for key in settings if not key.startswith("columns.")} - {"time"} | {"format"}
    assert named == settings
    for item in msgspec.structs.fields(mapping_settings.Columns):
        assert f"`{item.name}`" in table


def test_mapping_examples_are_those_of_the_folder():
    shown = blocks(ROOT / "docs" / "formats.md", "toml")
    for file in sorted((ROOT / "docs" / "mappings").glob("*.toml")):
        assert text_of(file).strip() in [body.strip() for body in shown], f"{file.name} is not shown"


def test_the_log_of_the_mapping_example():
    from cslog.readers import mapping

    log = next(
        body for body in blocks(ROOT / "docs" / "formats.md", "text") if body.startswith("--- Log opened")
    )
    batch = mapping.load_mapping(ROOT / "docs" / "mappings" / "irc.toml").read(
        Head("a.log", log.encode()), Options()
    )
    times = batch.messages["sent_at"].to_list()
    assert batch.messages.select("buyer", "sender").rows() == [("anna", "anna"), ("anna", "xiaomei")]
    assert times[1] - times[0] == 60


def test_the_export_shown_is_recognised():
    export = next(body for body in blocks(ROOT / "docs" / "formats.md", "text") if "单聊" in body)
    reader = registry.identify(Head("a.txt", export.encode("gbk")), registry.builtin_readers())
    assert reader.id == "qn-txt"
    assert reader.read(Head("a.txt", export.encode("gbk")), Options()).messages.height == 2


def test_the_plug_in_example_reads():
    page = ROOT / "docs" / "formats.md"
    module = types.ModuleType("cslog_chat_jsonl")
    exec(blocks(page, "python")[0], module.__dict__)
    head = Head(
        "a.jsonl",
        '{"buyer": "甲", "sender": "甲", "at": "2024-11-01T10:00:00", "text": "在吗"}\nnoise\n'
        '{"buyer": "甲", "sender": "店:小美", "at": "2024-11-01T10:00:09", "text": "在"}\n'.encode(),
    )
    reader = module.ChatJsonl()
    assert registry.identify(head, [*registry.builtin_readers(), reader]) is reader
    batch = reader.read(head, Options()).validated("test")
    assert batch.messages.select(pl.col("sent_at").diff().drop_nulls()).item() == 9
    assert batch.rejects["line"].to_list() == [2]
    package = next(tomllib.loads(body) for body in blocks(page, "toml") if "entry-points" in body)
    assert registry.ENTRY_POINTS in package["project"]["entry-points"]


def test_every_reader_has_a_section():
    text = text_of(ROOT / "docs" / "formats.md")
    for reader in registry.builtin_readers():
        assert f"\n### `{reader.id}`: " in text


def test_default_folders_are_named():
    pages = [*READMES, ROOT / "docs" / "configuration.md"]
    for page in pages:
        for folder in (
            "~/.local/share/cslog/store",
            "~/Library/Application Support/cslog/store",
            r"%LOCALAPPDATA%\cslog\store",
        ):
            assert folder in text_of(page)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the folder of Linux")
def test_the_default_folder_of_linux(monkeypatch, tmp_path):
    monkeypatch.delenv("CSLOG_STORE", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.store_folder(None, config.Config()) == tmp_path / ".local/share/cslog/store"


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """Run a line of a README as it stands there, in a folder with FOLDER and a store of its own."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "FOLDER").symlink_to(ROOT / "sample_logs", target_is_directory=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "CSLOG_STORE": str(folder / "store"),
        "CSLOG_CONFIG": "",
    }

    def run(words):
        return subprocess.run(
            [sys.executable, "-m", "cslog", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="needs a symbolic link")
def test_the_commands_of_the_readme_work(typed):
    lines = blocks(READMES[0], "sh")[1].strip().split("\n")
    for line in lines:
        done = typed(shlex.split(line, comments=True)[2:])
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout or "wrote " in done.stderr, line


def test_the_run_of_the_readmes_is_understood(tmp_path):
    found = []
    for page in READMES:
        (body,) = blocks(page, "toml")
        file = tmp_path / "cslog.toml"
        file.write_text(body, encoding="utf-8")
        settings = config.load(str(file))
        plan = routine.plan_of(settings, inbox_folder=str(tmp_path), today=clock.parse_day("2024-12-06", ""))
        found.append((settings.run, [path.as_posix() for path in map(plan.output_of, plan.reports)]))
    assert found[0] == found[1]
    assert found[0][1] == ["/home/shop/reports/kpi-2024-11.xlsx"]


def test_exit_statuses_of_a_run_are_told():
    page = section(ROOT / "docs" / "configuration.md", "## Every night by itself (定时运行)")
    assert f"{routine.BUSY} another run" in page
    assert f"{routine.BUSY}, another run" in text_of(ROOT / "docs" / "cli.md")
    for name in clock.RELATIVE_PERIODS:
        assert f"`{name}`" in section(ROOT / "docs" / "configuration.md", "## Keys")


def slug(title: str) -> str:
    """The anchor that code hosts make of a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_leads_nowhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert ROOT in file.parents, f"{page.name}: {target} is outside the project"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE)
            assert anchor in map(slug, titles), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_in_the_text_exist(page):
    named = re.findall(r"`((?:docs|tests|benchmarks|cslog|sample_logs|\.ci)/[\w./-]+)`", prose(page))
    missing = [name for name in named if not (ROOT / name).exists() and name != "cslog/numba"]
    assert not missing


def test_no_address_and_no_path_of_a_machine():
    own = (str(ROOT), str(Path.home()) + "/")
    for page in PAGES:
        text = text_of(page)
        assert "://" not in text, page.name
        assert not [path for path in own if path != "//" and path in text], page.name


def test_messages_point_to_pages_that_exist():
    sources = [*(ROOT / "cslog").rglob("*.py"), ROOT / "pyproject.toml"]
    for source in sources:
        for name in re.findall(r"\bdocs/[\w/-]+\.\w+", text_of(source)):
            assert (ROOT / name).exists(), f"{source.name} names {name}"


def test_the_store_keeps_old_versions_as_the_readme_says():
    assert tables._KEEP.startswith("interval 36500"), (
        "`cslog kpi --version` of the READMEs needs old versions"
    )
