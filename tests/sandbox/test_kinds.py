"""Kinds of jails: choosing one, saying what is missing, command lines, and what holds without a jail."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from gnomon.errors import UsageError
from gnomon.sandbox import Jail, JailKind, Limits, find_jail, kinds
from gnomon.sandbox.bubblewrap import Bubblewrap
from gnomon.sandbox.container import Container
from gnomon.sandbox.unsafe import Unsafe


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """`tools(bwrap="#!/bin/sh ...")` is a PATH with these programs and no others; kinds start anew."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for module, kind in (("bubblewrap", Bubblewrap), ("container", Container), ("unsafe", Unsafe)):
        monkeypatch.setattr(f"gnomon.sandbox.{module}.jail", kind())

    def make(**scripts: str) -> Path:
        for name, text in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        return folder

    return make


def test_the_folder_is_the_registry():
    assert kinds.names()[:3] == ["bubblewrap", "container", "unsafe"]
    for name in ("bubblewrap", "container", "unsafe"):
        assert isinstance(kinds.load(name), JailKind)
        assert kinds.load(name).name == name


def test_bubblewrap_is_taken_where_it_works(bubblewrap):
    assert find_jail() is bubblewrap
    assert find_jail(unsafe=True) is bubblewrap


def test_records_say_what_held(bubblewrap):
    said = bubblewrap.describe()
    assert said.startswith("bubblewrap 0.")
    assert "no network" in said
    assert f"Python {platform.python_version()}" in said
    import numpy

    assert f"numpy {numpy.__version__}" in said
    if platform.machine() in ("x86_64", "aarch64"):
        assert "system calls filtered" in said


def test_with_nothing_installed_the_way_out_is_told(tools):
    tools()
    with pytest.raises(UsageError) as caught:
        find_jail()
    assert str(caught.value) == (
        "untrusted programs need a jail, and none works here: "
        "bubblewrap is not installed. Debian:  sudo apt-get install bubblewrap . "
        "neither docker nor podman is installed. Debian:  sudo apt-get install podman . "
        "Or run programs without a jail, as you yourself:  --unsafe-code ."
    )


def test_with_nothing_installed_programs_run_without_a_jail_only_where_that_is_allowed(tools):
    tools()
    assert find_jail(unsafe=True).name == "unsafe"
    with pytest.raises(UsageError, match="--unsafe-code"):
        find_jail("unsafe")
    assert find_jail("unsafe", unsafe=True).name == "unsafe"


def test_a_kind_that_is_asked_for_is_not_replaced(tools):
    tools()
    with pytest.raises(UsageError, match="bubblewrap is not installed"):
        find_jail("bubblewrap", unsafe=True)


def test_an_unknown_kind_is_met_with_the_closest():
    with pytest.raises(UsageError, match=r"no jail is named 'bublewrap'\. Did you mean 'bubblewrap'"):
        find_jail("bublewrap")


@pytest.mark.parametrize(
    "says", ["bwrap: No permissions to create new namespace", "bwrap: setting up uid map: Permission denied"]
)
def test_a_bubblewrap_that_cannot_work_says_why_and_what_to_look_at(tools, says):
    tools(bwrap=f'[ "$1" = --version ] && echo "bubblewrap 9.9" || {{ echo "{says}" >&2; exit 1; }}')
    with pytest.raises(UsageError) as caught:
        find_jail("bubblewrap")
    assert says in str(caught.value)
    assert "sysctl user.max_user_namespaces" in str(caught.value)
    assert "--unsafe-code" in str(caught.value)


def test_a_daemon_that_does_not_answer_is_told(tools):
    tools(docker='echo "Cannot connect to the Docker daemon" >&2; exit 1')
    with pytest.raises(
        UsageError, match="docker is installed but does not answer: Cannot connect to the Docker daemon"
    ):
        find_jail("container")


@pytest.mark.parametrize("tool", ["docker", "podman"])
def test_an_image_is_never_pulled_and_the_line_that_does_is_told(tools, tmp_path, tool, monkeypatch):
    monkeypatch.setenv("GNOMON_JAIL_IMAGE", "mine:1")
    calls = tmp_path / "calls"
    tools(**{tool: f'echo "$@" >>{calls}; [ "$1" = version ] && echo 1.2.3 || exit 1'})
    with pytest.raises(UsageError, match=rf"{tool} has no image 'mine:1'.*Type  {tool} pull mine:1 "):
        find_jail("container")
    assert "pull" not in calls.read_text()
    assert "image inspect mine:1" in calls.read_text()


def test_a_container_is_shut_on_all_sides(tools, monkeypatch):
    monkeypatch.setenv("GNOMON_TEST_SECRET", "secret")
    monkeypatch.delenv("GNOMON_JAIL_IMAGE", raising=False)
    folder = tools(docker="exit 0")
    kind = Container()
    assert kind.missing() is None
    command = kind.command()
    line = " ".join(command.argv)
    assert command.argv[:2] == (str(folder / "docker"), "run")
    for part in (
        "--rm --interactive",
        "--pull never",
        "--network none",
        "--ipc none",
        "--read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--pids-limit 512",
        "--memory 4g --memory-swap 4g",
        "--user 65534:65534",
        "--entrypoint python3 docker.io/library/python:3.12-slim",
    ):
        assert part in line
    for opening in ("--privileged", "--volume", "-v ", "--mount", "secret", "--device"):
        assert opening not in line
    assert set(command.environment) <= {
        "HOME",
        "PATH",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "CONTAINER_HOST",
        "XDG_RUNTIME_DIR",
    }
    name = command.argv[command.argv.index("--name") + 1]
    assert command.finish == (str(folder / "docker"), "kill", name)
    assert kind.command().finish != command.finish


def test_podman_is_taken_where_dockers_daemon_does_not_answer(tools):
    folder = tools(docker="exit 1", podman="exit 0")
    kind = Container()
    assert kind.missing() is None
    assert kind.command().argv[0] == str(folder / "podman")


def test_a_container_really_holds(program):
    """Where docker or podman is there with the image; elsewhere the command line above is all that is checked."""
    kind = Container()
    lacking = kind.missing()
    if lacking is not None:
        pytest.skip(f"no container to be had: {lacking}")
    with Jail(kind) as jail:
        assert jail.run(program("print(input())", b"3")).stdout == b"3\n"
        for attack in (
            "open('/x', 'w')",
            "import os; os.fork()",
            "import socket; socket.socket()",
            "import os; os.kill(1, 9)",
        ):
            assert jail.run(program(attack)).status == "error"
        assert jail.run(program("while True: pass", seconds=0.5)).status == "timeout"


def test_bubblewrap_is_shut_on_all_sides(bubblewrap):
    command = bubblewrap.command()
    argv = list(command.argv)
    for part in ("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv", "--as-pid-1"):
        assert part in argv
    shown = {argv[place + 2] for place, word in enumerate(argv) if word.startswith(("--ro-bind", "--dev-bind"))}
    assert not any(word in ("--bind", "--bind-try", "--dev", "--share-net") for word in argv)
    for hidden in ("/", "/etc", "/home", "/root", "/var", "/run", "/usr", str(Path.home()), os.getcwd()):
        assert hidden not in shown
    assert argv.index("--remount-ro") < argv.index("--")
    assert argv[argv.index("/tmp", argv.index("--tmpfs")) + 1 :][:2] == ["--remount-ro", "/"]
    assert dict(command.environment) == {"PATH": "/usr/bin:/bin"}


def test_a_python_whose_folder_holds_the_home_is_refused(monkeypatch):
    monkeypatch.setattr("sys.base_prefix", str(Path.home().parent))
    monkeypatch.setattr("sys.base_exec_prefix", str(Path.home().parent))
    with pytest.raises(UsageError, match="holds the home folder"):
        Bubblewrap().command()


# without a jail


@pytest.fixture(scope="module")
def loose(tmp_path_factory):
    with Jail(find_jail("unsafe", unsafe=True)) as jail:
        yield jail


def test_without_a_jail_records_say_so():
    assert Unsafe().describe().startswith("no jail (programs ran with the user's own rights)")


def test_without_a_jail_programs_run_and_statuses_are_the_same(loose, program):
    assert loose.run(program("print(int(input()) + 1)", b"2")).stdout == b"3\n"
    texts = {
        "while True: pass": "timeout",
        "x = bytearray(1 << 40)": "memory",
        "print('x' * 10 ** 5)": "output",
        "1 / 0": "error",
        "import os; os.abort()": "killed",
        "import os; os._exit(0)": "error",
    }
    for text, status in texts.items():
        assert loose.run(program(text, seconds=0.4 if status == "timeout" else 4, output=1000)).status == status
    assert loose.run(program("import numpy; print(numpy.arange(3).sum())")).stdout == b"3\n"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no list of system calls for this machine")
def test_without_a_jail_the_filter_holds_what_it_can(loose, program):
    for text in ("import os; os.fork()", "import socket; socket.socket()", "import os; os.execv('/bin/sh', ['sh'])"):
        assert "PermissionError" in loose.run(program(text)).message
    assert "PermissionError" in loose.run(program("import os; os.kill(os.getppid(), 9)")).message
    assert loose.run(program("print(1)")).ok


def test_without_a_jail_the_folder_is_emptied_and_removed(program):
    with Jail(find_jail("unsafe", unsafe=True)) as jail:
        text = "import os; open('x', 'w'); os.makedirs('a/b'); os.symlink('/usr', 'a/b/c'); print(os.getcwd())"
        first, second = (jail.run(program(text)).stdout for _ in range(2))
        folder = first.decode().strip()
        assert first == second
        assert os.listdir(folder) == []
    assert not os.path.exists(folder)
    assert os.path.isdir("/usr")


def test_without_a_filter_grandchildren_are_found_and_killed(program, monkeypatch):
    """Where the kernel gives no filter, orphans are adopted by the zygote, which kills them and asks to be replaced."""
    monkeypatch.setattr("gnomon.sandbox._seccomp.assemble", lambda: None)
    double_fork = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(1, str(os.getpid()).encode())
        time.sleep(60)
    os._exit(0)
while not os.fstat(1).st_size: time.sleep(0.01)
"""
    with Jail(Unsafe()) as jail:
        outcome = jail.run(program(double_fork))
        assert outcome.ok
        assert not os.path.exists(f"/proc/{int(outcome.stdout)}")
        assert jail.pid is None
        assert jail.run(program("print(1)")).ok


def test_without_a_filter_a_jail_still_holds(bubblewrap, program, monkeypatch, descendants):
    """The filter is the second wall, not the first."""
    monkeypatch.setattr("gnomon.sandbox._seccomp.assemble", lambda: None)
    bomb = """
import os, time
for _ in range(20):
    if os.fork() == 0:
        os.setsid(); time.sleep(60)
for victim in (1, -1):
    try: os.kill(victim, 9)
    except OSError: pass
for name in ('mem', 'environ', 'fd/0', 'fd/1'):
    try:
        open('/proc/1/' + name, 'rb').read(1); print(name)
    except OSError: pass
"""
    with Jail(Bubblewrap()) as jail:
        first = jail.run(program(bomb))
        assert (first.status, first.stdout) == ("ok", b"")
        second = jail.run(program("import os; print(sum(name.isdigit() for name in os.listdir('/proc')))"))
        assert second.stdout == b"2\n"
        assert len(descendants(jail.pid)) == 2


def test_limits_reach_the_program(loose, program):
    names = "NOFILE", "CORE", "FSIZE", "STACK", "CPU"
    text = f"import resource as r; emit([r.getrlimit(getattr(r, 'RLIMIT_' + name))[1] for name in {names}])"
    outcome = loose.run(program(text, seconds=3, files=50, output=1000, stack=32 << 20))
    assert outcome.results == [[50, 0, 1001, 32 << 20, 5]]
    assert Limits().files == 64


def test_importing_the_room_starts_and_imports_little():
    code = "import sys, gnomon.sandbox; print([m for m in ('torch', 'numpy', 'ctypes.wintypes') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
