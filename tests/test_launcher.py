"""cli.py makes the environment when it must, never twice, never half, and otherwise stays out of the way."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent
SECRET = "https://somebody:secret@mirror.invalid/simple"


class Became(BaseException):
    """The launcher handed over: raised instead of replacing the test process."""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """A launcher in a checkout of its own, whose tools only pretend."""
    checkout = tmp_path / "检出 folder"
    checkout.mkdir()
    shutil.copy(ROOT / "cli.py", checkout)
    (checkout / "requirements.lock").write_text("polars==2.1.0\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("launcher", checkout / "cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("CSLOG_VENV", str(tmp_path / "环境 env"))
    monkeypatch.setenv("PYTHONPATH", "whatever")
    monkeypatch.chdir(tmp_path)

    def become(words):
        raise Became(words)

    monkeypatch.setattr(module, "become", become)
    return module


@pytest.fixture
def env(tmp_path):
    """The folder that the environment goes to."""
    return tmp_path / "环境 env"


@pytest.fixture
def tools(cli, env, monkeypatch):
    """Replace every subprocess; `failing` names the word of the command that fails, `ran` lists all."""
    state = SimpleNamespace(ran=[], failing=None, present={"uv", "ensurepip", "pip"})

    def run(words, **options):
        state.ran.append([str(word) for word in words])
        if "venv" in words:
            make_environment(cli, env)
        said = f"Looking in indexes: {SECRET}\nno route to {SECRET}/numba/\n".encode()
        return SimpleNamespace(returncode=int(state.failing in words), stdout=said, stderr=b"")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(subprocess, "call", lambda words, **options: int(not Path(words[0]).exists()))
    monkeypatch.setattr(shutil, "which", lambda name: name if name in state.present else None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in state.present or None)
    return state


def make_environment(cli, env):
    python = Path(cli.python_of(str(env)))
    python.parent.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        python.touch()
    (env / "pyvenv.cfg").touch()


def make_ready(cli, env):
    make_environment(cli, env)
    (env / "cslog-stamp").write_text(cli.stamp_of(str(env)), encoding="utf-8")


def became(cli, *arguments):
    with pytest.raises(Became) as handed_over:
        cli.main(list(arguments))
    return handed_over.value.args[0]


def status_of_main(cli):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["kpi"])
    return stopped.value.code


def test_old_python_is_named_in_one_line(cli, monkeypatch, capsys):
    assert cli.too_old((3, 11, 0)) == cli.too_old((4, 0, 0)) == ""
    assert cli.too_old((2, 7, 18, "final", 0)) == "cslog needs Python 3.11 or newer; this is 2.7.18"
    monkeypatch.setattr(cli, "too_old", lambda version: "too old")
    monkeypatch.setattr(cli, "is_new_enough", lambda words: False)
    assert status_of_main(cli) == 2
    assert capsys.readouterr() == ("", "too old\n")


def test_old_python_hands_over_to_a_newer_one(cli, monkeypatch):
    monkeypatch.setattr(cli, "too_old", lambda version: "too old")
    monkeypatch.setattr(cli, "is_new_enough", lambda words: words == ["py", "-3"])
    assert became(cli, "kpi", "--month") == ["py", "-3", os.path.join(cli.HERE, "cli.py"), "kpi", "--month"]


def test_only_interpreters_that_really_run_are_new_enough(cli):
    assert cli.is_new_enough([sys.executable])
    assert not cli.is_new_enough([str(ROOT / "no such python")])


def test_launcher_parses_on_old_pythons():
    source = (ROOT / "cli.py").read_bytes()
    source.decode("ascii")  # Python 2 refuses anything else without a declaration
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Starred | ast.Match)
        if isinstance(node, ast.FunctionDef):
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            assert node.returns is None
            assert not any(argument.annotation for argument in arguments)
            assert not node.args.kwonlyargs + node.args.posonlyargs


def test_ready_environment_costs_no_process_and_no_word(cli, env, monkeypatch, capsys):
    make_ready(cli, env)
    monkeypatch.setattr(subprocess, "run", None)
    python = cli.python_of(str(env))
    assert became(cli, "kpi", "--month", "2026-10") == [
        python,
        "-P",
        "-m",
        "cslog",
        "kpi",
        "--month",
        "2026-10",
    ]
    assert os.environ["PYTHONPATH"] == cli.HERE
    assert capsys.readouterr() == ("", "")


def test_word_test_runs_pytest_in_the_checkout(cli, env):
    make_ready(cli, env)
    assert became(cli, "test", "-k", "x") == [cli.python_of(str(env)), "-m", "pytest", "-k", "x"]
    assert Path.cwd() == Path(cli.HERE)


def test_stamp_tells_changed_locks_and_changed_pythons(cli, env):
    assert not cli.is_ready(str(env))
    make_environment(cli, env)
    assert not cli.is_ready(str(env))
    make_ready(cli, env)
    assert cli.is_ready(str(env))
    python = Path(cli.python_of(str(env)))
    python.rename(env / "python3.11")
    assert not cli.is_ready(str(env))
    if os.name != "nt":
        python.symlink_to(env / "python3.11")
        assert not cli.is_ready(str(env))
        make_ready(cli, env)
        assert cli.is_ready(str(env))
    Path(cli.LOCK).write_text("polars==2.2.0\n", encoding="utf-8")
    assert not cli.is_ready(str(env))


def test_first_run_installs_with_uv_and_warms_up(cli, env, tools, capsys):
    python = cli.python_of(str(env))
    assert became(cli, "kpi")[0] == python
    make, install, warm = tools.ran
    assert make[:2] == ["uv", "venv"]
    assert install[:6] == ["uv", "pip", "install", "--compile-bytecode", "--python", python]
    assert {"--require-hashes", "--only-binary", cli.LOCK} <= set(install)
    assert warm == [python, "-P", "-m", "cslog", "warm"]
    assert cli.is_ready(str(env))
    assert capsys.readouterr() == ("", "Setting up cslog once (about 1 minute) ...\n")
    tools.ran.clear()
    became(cli, "kpi")
    assert tools.ran == []


def test_without_uv_the_environment_gets_its_own_pip(cli, env, tools):
    tools.present -= {"uv"}
    became(cli, "kpi")
    python = cli.python_of(str(env))
    assert tools.ran[0][1:] == ["-m", "venv", "--without-pip", str(env)]
    assert tools.ran[1] == [python, "-m", "ensurepip"]
    assert tools.ran[2][:4] == [python, "-m", "pip", "install"]
    assert "--require-hashes" in tools.ran[2]


def test_debian_without_ensurepip_uses_the_system_pip(cli, env, tools):
    tools.present -= {"uv", "ensurepip"}
    became(cli, "kpi")
    assert tools.ran[1][1:6] == ["-m", "pip", "--python", cli.python_of(str(env)), "install"]


def test_debian_without_any_of_them_names_the_package(cli, env, tools, capsys):
    tools.present.clear()
    assert status_of_main(cli) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "sudo apt install python3-venv" in said
    assert not env.exists()


def test_failed_install_leaves_nothing_and_tells_no_address(cli, env, tools, capsys):
    tools.failing = "install"
    assert status_of_main(cli) == 1
    assert not env.exists()
    out, said = capsys.readouterr()
    assert out == ""
    assert "type it again" in said
    assert "  no route to (address)\n" in said
    assert "secret" not in said
    assert "://" not in said
    tools.failing = None
    became(cli, "kpi")


def test_interrupted_install_leaves_nothing(cli, env, tools, monkeypatch):
    def interrupt(words):
        make_environment(cli, env)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupt)
    assert status_of_main(cli) == 130
    assert not env.exists()


def test_changed_lock_updates_in_place(cli, env, tools):
    make_ready(cli, env)
    (env / "kept").touch()
    Path(cli.LOCK).write_text("polars==2.2.0\n", encoding="utf-8")
    tools.failing = "install"
    assert status_of_main(cli) == 1
    assert (env / "kept").exists()
    Path(cli.LOCK).write_text("polars==2.1.0\n", encoding="utf-8")
    assert not cli.is_ready(str(env))  # half updated: going back to the old lock does not make it whole
    tools.failing = None
    tools.ran.clear()
    became(cli, "kpi")
    assert [words[1] for words in tools.ran] == ["pip", "-P"]
    assert (env / "kept").exists()


def test_environment_without_its_python_is_made_again(cli, env, tools):
    make_ready(cli, env)
    (env / "stale").touch()
    Path(cli.python_of(str(env))).unlink()
    became(cli, "kpi")
    assert tools.ran[0][1] == "venv"
    assert not (env / "stale").exists()


def test_folder_that_is_no_environment_is_left_alone(cli, env, tools, capsys):
    env.mkdir()
    (env / "salaries.xlsx").touch()
    assert status_of_main(cli) == 2
    assert "is not a Python environment" in capsys.readouterr().err
    assert (env / "salaries.xlsx").exists()
    assert tools.ran == []


def test_failing_warm_is_said_and_survived(cli, tools, capsys):
    tools.failing = "warm"
    became(cli, "kpi")
    assert "warm failed" in capsys.readouterr().err


def test_unwritable_checkout_falls_back_to_the_users_cache(cli, tmp_path, tools, monkeypatch):
    monkeypatch.delenv("CSLOG_VENV")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "platform", "linux")
    beside, cached = cli.environment_folders()
    assert Path(beside) == Path(cli.HERE) / ".venv"
    assert Path(cached).parent == tmp_path / "cache" / "cslog"
    really = cli.may_write
    monkeypatch.setattr(cli, "may_write", lambda folder: folder != cli.HERE and really(folder))
    built = []
    monkeypatch.setattr(cli, "build", built.append)
    assert cli.ready_environment() == cached
    assert built == [cached]
    monkeypatch.setattr(cli, "may_write", lambda folder: False)
    assert status_of_main(cli) == 2


def test_second_launcher_waits_and_does_not_build_again(cli, env, monkeypatch):
    def build(folder):
        raise AssertionError("built twice")

    monkeypatch.setattr(cli, "build", build)
    found = []
    with cli.hold_lock():
        second = threading.Thread(target=lambda: found.append(cli.ready_environment()))
        second.start()
        second.join(0.1)
        assert found == []
        make_ready(cli, env)
    second.join(20)
    assert found == [str(env)]


@pytest.mark.skipif(os.name == "nt", reason="stands in for an environment with a symbolic link")
def test_real_hand_over_keeps_arguments_and_status(cli, env, tmp_path):
    package = Path(cli.HERE) / "cslog"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    package.joinpath("__main__.py").write_text(
        "import sys; print(sys.argv[1:]); sys.exit(7)", encoding="utf-8"
    )
    tmp_path.joinpath("cslog.py").write_text("raise SystemExit('a file among the exports was run')")
    make_environment(cli, env)
    python = Path(cli.python_of(str(env)))
    python.unlink()
    python.symlink_to(sys.executable)
    make_ready(cli, env)
    command = [sys.executable, os.path.join(cli.HERE, "cli.py"), "kpi", "客服 一"]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=os.environ | {"PYTHONUTF8": "1"}
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "['kpi', '客服 一']\n", "")


def tracked_files():
    """Every file of the repository, or of an unpacked archive of it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8")
    names = [name for name in listed.stdout.split("\0") if name]
    always = [
        "requirements.lock",
        "pyproject.toml",
        "cli.py",
        *(str(p.relative_to(ROOT)) for p in ROOT.glob(".ci/*")),
    ]
    return sorted({ROOT / name for name in [*names, *always, *(p.name for p in ROOT.glob("README*"))]})


def test_no_file_names_a_package_index():
    index = re.compile(rb"https?://[^\s\"')>]*(?:/simple\b|/packages/)|--(?:extra-)?index-url|--find-links")
    guilty = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if path.is_file() and path != Path(__file__) and index.search(path.read_bytes())
    ]
    assert guilty == []
    for path in [ROOT / "requirements.lock", *(ROOT / ".ci").iterdir()]:
        assert b"://" not in path.read_bytes(), path
