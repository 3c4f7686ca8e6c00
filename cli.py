"""Run cslog from a checkout: ``python3 cli.py ARGS...``; nothing but Python is needed beforehand.

The first run makes an environment (``.venv`` beside this file) holding exactly the packages of
``requirements.lock``, every file checked against its hash. Later runs compare two lines of a stamp
file and hand over to ``python -m cslog ARGS...`` at once. ``python3 cli.py test`` runs the test suite
in the same environment; every other word is cslog's own.

Standard library only. The file must parse on any Python that may still answer to ``python`` (so: no
f-strings, no annotations), because the first thing it may have to say is that this Python is too old.
Everything is said on stderr: stdout belongs to cslog. No address of a package index is ever printed.
"""

import hashlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LOCK = os.path.join(HERE, "requirements.lock")
WINDOWS = os.name == "nt"
NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"


def say(line, status=None):
    """Write one line to stderr; with a `status`, exit."""
    sys.stderr.write(line + "\n")
    if status is not None:
        sys.exit(status)


def too_old(version):
    """Return the line to print when `version` (like sys.version_info) is too old, else ''."""
    line = "cslog needs Python 3.11 or newer; this is " + ".".join(str(part) for part in version[:3])
    return "" if tuple(version[:2]) >= (3, 11) else line


def is_new_enough(words):
    """Tell whether the interpreter started by `words` runs, and is not too old.

    It is run, not merely looked up: pyenv and Windows leave names on PATH that start nothing.
    """
    import subprocess

    with open(os.devnull, "w") as nowhere:
        try:
            return subprocess.call(words + ["-c", NEW_ENOUGH], stdout=nowhere, stderr=nowhere) == 0
        except OSError:
            return False


def newer_python():
    """Return the command words of a new enough interpreter on PATH, or None."""
    names = ["python3.14", "python3.13", "python3.12", "python3.11", "python3", "py -3"]
    return next((name.split() for name in names if is_new_enough(name.split())), None)


def become(words):
    """Turn this process into another program; on Windows, run it and exit with its status."""
    if not WINDOWS:
        os.execvp(words[0], words)
    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child gets Ctrl-C as well, and decides about it
    sys.exit(subprocess.call(words))


def environment_folders():
    """Return the folders the environment may be in, best first.

    The second, in the user's cache, is for checkouts that this user may not write to. It is named after
    the checkout, so that two checkouts do not take turns rebuilding one environment.
    """
    if os.environ.get("CSLOG_VENV"):
        return [os.path.abspath(os.environ["CSLOG_VENV"])]
    home = os.path.expanduser("~")
    caches = {"win32": os.environ.get("LOCALAPPDATA"), "darwin": os.path.join(home, "Library", "Caches")}
    cache = caches.get(sys.platform) or os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    name = "venv-" + hashlib.sha256(os.fsencode(HERE)).hexdigest()[:12]
    return [os.path.join(HERE, ".venv"), os.path.join(cache, "cslog", name)]


def python_of(env):
    """Return the path of the interpreter of the environment `env`."""
    return os.path.join(env, "Scripts", "python.exe") if WINDOWS else os.path.join(env, "bin", "python")


def stamp_of(env):
    """Return what the stamp file must hold: the hash of the lock, and which Python the environment runs.

    The Python is its resolved path, with the version in it: after a system upgrade /usr/bin/python3 is
    another one. It is not the Python of this process, or cron and the shell would rebuild in turns.
    """
    with open(LOCK, "rb") as lock:
        digest = hashlib.sha256(lock.read()).hexdigest()
    return digest + "\n" + os.path.realpath(python_of(env)) + "\n"


def is_ready(env):
    """Tell whether `env` was completely installed from the present lock."""
    try:
        with open(os.path.join(env, "cslog-stamp"), encoding="utf-8") as stamp:
            return stamp.read() == stamp_of(env) and os.path.exists(python_of(env))
    except (OSError, ValueError):
        return False


def may_write(folder):
    """Tell whether files can be made in `folder`, by making one: Windows does not tell otherwise."""
    import tempfile

    try:
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return True
    except OSError:
        return False


def run(words):
    """Run a tool in silence; if it fails, show its last lines with every address masked, and exit.

    It runs in the checkout: in a folder of exports, Python would import whatever lies there.
    """
    import re
    import subprocess

    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    done = subprocess.run(words, cwd=HERE, stdin=nothing, stdout=pipe, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        said = "\n  ".join(done.stdout.decode("utf-8", "replace").strip().splitlines()[-8:])
        said = re.sub(r"\w+://[^\s'\")>]*|(?<=host=)\S+", "(address)", said)
        say("Setting up failed; check the network and package index, then type it again:\n  " + said, 1)


def install_commands(env, existed):
    """Return the commands that bring `env` to the lock: with uv if there is one, else with pip."""
    import shutil
    from importlib.util import find_spec

    python, uv = python_of(env), shutil.which("uv")
    # The interpreter below a venv: this one may be of the very environment that is to be made again.
    base = getattr(sys, "_base_executable", None) or sys.executable
    # Wheels only: compiling numba or Arrow from source would end badly an hour later.
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "-r", LOCK]
    if uv:
        make = [uv, "venv", "--no-project", "--python", base, env]
        install = [[uv, "pip", "install", "--compile-bytecode", "--python", python] + options]
    else:
        make = [base, "-m", "venv", "--without-pip", env]
        if find_spec("ensurepip"):
            install = [[python, "-m", "ensurepip"], [python, "-m", "pip", "install"] + options]
        elif find_spec("pip"):  # Debian without python3-venv but with python3-pip
            install = [[base, "-m", "pip", "--python", python, "install"] + options]
        else:
            say("cslog needs Python's venv and pip, missing here; type: sudo apt install python3-venv", 2)
    return install if existed else [make] + install


def build(env):
    """Make the environment or bring it up to date, stamp it, and compile cslog's kernels once."""
    import shutil
    import subprocess

    existed = os.path.isdir(env) and bool(os.listdir(env))
    if existed and not os.path.exists(os.path.join(env, "pyvenv.cfg")):
        say(env + " is not a Python environment; move it, or set CSLOG_VENV to another folder", 2)
    if existed and not is_new_enough([python_of(env)]):
        shutil.rmtree(env)
        existed = False
    commands = install_commands(env, existed)
    say("Setting up cslog once (about 1 minute) ...")
    stamp = os.path.join(env, "cslog-stamp")
    if os.path.exists(stamp):
        os.remove(stamp)
    try:
        for words in commands:
            run(words)
        with open(stamp, "w", encoding="utf-8") as out:
            out.write(stamp_of(env))
    except BaseException:  # Ctrl-C too: the next run must not find half an environment
        if not existed:
            shutil.rmtree(env, ignore_errors=True)
        raise
    warm = [python_of(env), "-P", "-m", "cslog", "warm"]
    if subprocess.run(warm, cwd=HERE, capture_output=True, check=False).returncode:
        say("(cslog warm failed; nothing is lost, the first report compiles instead)")


def hold_lock():
    """Wait until no other launcher is building, and return the open file that holds the lock.

    The lock is the operating system's, on requirements.lock itself: it ends with its holder, however that
    one ended, and leaves no file behind, not even beside a read-only checkout.
    """
    # Some network file systems lock only what was opened for writing.
    held = open(LOCK, "r+b" if os.access(LOCK, os.W_OK) else "rb")  # noqa: SIM115
    while True:
        try:
            if WINDOWS:
                import msvcrt

                held.seek(1 << 30)  # behind the end, since nobody else could read bytes locked on Windows
                msvcrt.locking(held.fileno(), msvcrt.LK_LOCK, 1)
            else:
                import fcntl

                fcntl.flock(held, fcntl.LOCK_EX)
        except OSError as error:
            if WINDOWS and error.errno == 36:  # still locked after the ten seconds that Windows waits
                continue
        return held  # after any other error too: where files cannot be locked, better unguarded than never


def ready_environment():
    """Return the folder of a ready environment, building it first if there is none."""
    folders = environment_folders()
    for env in filter(is_ready, folders):
        return env
    for env in folders:
        if may_write(env if os.path.isdir(env) else os.path.dirname(env)):
            with hold_lock():
                if not is_ready(env):  # else another launcher built it while this one waited
                    build(env)
            return env
    say("cslog finds no folder to set itself up in; set CSLOG_VENV to one that you may write to", 2)


def main(arguments):
    """Set cslog up if need be, then become it."""
    if too_old(sys.version_info):
        newer = newer_python() or say(too_old(sys.version_info), 2)
        become(newer + [os.path.abspath(__file__)] + arguments)
    # Replaced, not extended: the environment is exact, and the checkout is all that comes on top of it.
    os.environ["PYTHONPATH"] = HERE
    try:
        python = python_of(ready_environment())
    except OSError as error:
        say("cslog could not be set up: " + str(error), 1)
    except KeyboardInterrupt:
        sys.exit(130)
    if arguments[:1] == ["test"]:
        os.chdir(HERE)
        become([python, "-m", "pytest"] + arguments[1:])
    # -P: a file named cslog.py or polars.py in the folder of somebody's exports must not be run.
    become([python, "-P", "-m", "cslog"] + arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
