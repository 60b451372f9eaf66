"""docker or podman, by their command line, where bubblewrap cannot be had.

Belongs here: finding the tool and its image, and the command line. Does not belong here: pulling images, which is for
the user to do.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess

from gnomon.errors import UsageError
from gnomon.sandbox._kind import UNSAFE_HINT, JailKind
from gnomon.sandbox._process import STACK, Command, environment, python_arguments

__all__ = ["Container", "jail"]

_TOOLS = ("docker", "podman")
_IMAGE = "docker.io/library/python:3.12-slim"
_PATIENCE = 20.0  # seconds for the tool to answer a question
# What the tool itself needs to find its daemon and its own settings; nothing of it goes inside.
_PASSED_ON = ("HOME", "PATH", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "XDG_RUNTIME_DIR")


class Container(JailKind):
    """A jail made by docker or podman.

    The image (`GNOMON_JAIL_IMAGE`, by default python:3.12-slim) must be there; its Python runs the programs, with numpy
    where the image has it. All of it is read-only but /tmp.

    >>> Container().name
    'container'
    """

    name = "container"
    _tool = _TOOLS[0]

    @property
    def image(self) -> str:
        """Name of the image."""
        return os.environ.get("GNOMON_JAIL_IMAGE") or _IMAGE

    def missing(self) -> UsageError | None:
        """None where one of the tools answers and has the image; else what the first installed one lacks."""
        lacking = UsageError("neither docker nor podman is installed.", hint="Debian:  sudo apt-get install podman .")
        found = list(filter(None, map(shutil.which, _TOOLS)))
        for tool in reversed(found):
            error = self._lacks(tool)
            if error is None:
                self._tool = tool
                return None
            lacking = error
        return lacking

    def _lacks(self, tool: str) -> UsageError | None:
        name = os.path.basename(tool)
        code, text = _ask(tool, "version", "--format", "{{.Client.Version}} {{if .Server}}{{.Server.Version}}{{end}}")
        if code:
            return UsageError(f"{name} is installed but does not answer: {_first_line(text)}.", hint=UNSAFE_HINT)
        code, _ = _ask(tool, "image", "inspect", self.image)
        if code:
            return UsageError(
                f"{name} has no image '{self.image}', and gnomon pulls none by itself.",
                hint=f"Type  {name} pull {self.image} , or name another one in GNOMON_JAIL_IMAGE .",
            )
        return None

    def label(self) -> str:
        _, text = _ask(self._tool, "image", "inspect", "--format", "{{.Id}}", self.image)
        digest = text.strip().removeprefix("sha256:")[:12]
        return f"{os.path.basename(self._tool)} with {self.image} ({digest}), no network, own processes and files"

    def command(self) -> Command:
        tool, name = self._tool, f"gnomon-{secrets.token_hex(8)}"
        argv = [tool, "run", "--rm", "--interactive", "--name", name, "--pull", "never", "--log-driver", "none"]
        argv += ["--network", "none", "--ipc", "none", "--read-only", "--cap-drop", "ALL"]
        argv += ["--security-opt", "no-new-privileges", "--pids-limit", "512", "--memory", "4g", "--memory-swap", "4g"]
        argv += ["--user", "65534:65534", "--hostname", "jail", "--workdir", "/", "--oom-score-adj", "500"]
        for limit in ("core=0:0", f"stack={STACK}:{STACK}", "nofile=1024:1024", "nproc=4096:4096"):
            argv += ["--ulimit", limit]
        argv += ["--tmpfs", "/tmp:rw,nosuid,nodev,noexec,size=64m,mode=1777"]
        for variable, value in environment("/tmp").items():
            argv += ["--env", f"{variable}={value}"]
        argv += ["--entrypoint", "python3", self.image, *python_arguments()]
        return Command(
            argv=tuple(argv),
            environment={key: os.environ[key] for key in _PASSED_ON if key in os.environ},
            finish=(tool, "kill", name),
        )


def _ask(*argv: str) -> tuple[int, str]:
    """Exit code and all that was said."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer in {_PATIENCE:g} s"
    except OSError as error:
        return 1, str(error)
    return done.returncode, done.stdout + done.stderr


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".")[:300] if lines else "it gave no reason"


jail = Container()
