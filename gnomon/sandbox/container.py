"""docker or podman, by their command line, where bubblewrap cannot be had.

Belongs here: finding the tool and its image, and the command line. Does not belong here: pulling images, which is for
the user to do.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from functools import cached_property

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

    @property
    def image(self) -> str:
        """Name of the image."""
        return os.environ.get("GNOMON_JAIL_IMAGE") or _IMAGE

    def missing(self) -> UsageError | None:
        if self._tool is None:
            return UsageError("neither docker nor podman is installed.", hint="Debian:  sudo apt-get install podman .")
        tool = os.path.basename(self._tool)
        code, text = _ask(self._tool, "version", "--format", "{{if .Server}}{{.Server.Version}}{{end}}")
        if code or (tool == "docker" and not text.strip()):
            return UsageError(f"{tool} is installed but does not answer: {_first_line(text)}.", hint=UNSAFE_HINT)
        code, _ = _ask(self._tool, "image", "inspect", self.image)
        if code:
            return UsageError(
                f"{tool} has no image '{self.image}', and gnomon pulls none by itself.",
                hint=f"Type  {tool} pull {self.image} , or name another one in GNOMON_JAIL_IMAGE .",
            )
        return None

    def label(self) -> str:
        tool = os.path.basename(str(self._tool))
        _, text = _ask(str(self._tool), "image", "inspect", "--format", "{{.Id}}", self.image)
        return f"{tool} with {self.image} ({text.strip()[:19]}), no network, own processes and files"

    def command(self) -> Command:
        tool, name = str(self._tool), f"gnomon-{secrets.token_hex(8)}"
        argv = [tool, "run", "--rm", "--interactive", "--name", name, "--pull", "never", "--log-driver", "none"]
        argv += ["--network", "none", "--ipc", "none", "--read-only", "--cap-drop", "ALL"]
        argv += ["--security-opt", "no-new-privileges", "--pids-limit", "512", "--memory", "4g", "--memory-swap", "4g"]
        argv += ["--user", "65534:65534", "--hostname", "jail", "--workdir", "/", "--oom-score-adj", "500"]
        argv += ["--ulimit", "core=0:0", "--ulimit", f"stack={STACK}:{STACK}"]
        argv += ["--tmpfs", "/tmp:rw,nosuid,nodev,noexec,size=64m,nr_inodes=20000,mode=0700,uid=65534,gid=65534"]
        for variable, value in environment("/tmp").items():
            argv += ["--env", f"{variable}={value}"]
        argv += ["--entrypoint", "python3", self.image, *python_arguments()]
        return Command(
            argv=tuple(argv),
            environment={key: os.environ[key] for key in _PASSED_ON if key in os.environ},
            finish=(tool, "kill", name),
        )

    @cached_property
    def _tool(self) -> str | None:
        return next(filter(None, map(shutil.which, _TOOLS)), None)


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
