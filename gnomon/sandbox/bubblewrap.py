"""bubblewrap (`bwrap`): namespaces of its own for users, processes, network, files, without root and without a daemon.

Belongs here: what a jail of this kind can see, and its command line. Does not belong here: what happens inside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cached_property
from pathlib import Path

from gnomon.errors import UsageError
from gnomon.sandbox._kind import UNSAFE_HINT, JailKind
from gnomon.sandbox._process import Command, environment, own_numpy, own_python, python_arguments

__all__ = ["Bubblewrap", "jail"]

_SCRATCH = 64 << 20
_DEVICES = ("null", "zero", "full", "random", "urandom")
# Of /etc nothing but where libraries are; owners of files would let a jail of root read /etc/shadow.
_LIBRARIES = ("/etc/ld.so.cache", "/etc/alternatives", "/usr/share/zoneinfo")
_NUMPY_PLACE = "/numpy"
_STORES = ("/nix/store", "/gnu/store")


class Bubblewrap(JailKind):
    """A jail made by bubblewrap.

    Seen inside: the libraries of the system, the Python that gnomon runs on and its numpy, all read-only; a scratch
    folder /tmp of 64 MiB in memory; its own processes; five devices. Not seen: the rest of /etc, homes, the project,
    the network, other processes.

    >>> Bubblewrap().name
    'bubblewrap'
    """

    name = "bubblewrap"

    def missing(self) -> UsageError | None:
        if not sys.platform.startswith("linux"):
            return UsageError("bubblewrap is for Linux only.", hint="Use docker or podman.")
        if self._tool is None:
            return UsageError(
                "bubblewrap is not installed.", hint=f"Debian:  sudo apt-get install bubblewrap . {UNSAFE_HINT}"
            )
        return None

    def label(self) -> str:
        return f"bubblewrap {self._version}, no network, own users, processes and files"

    def cannot(self, reason: str) -> UsageError:
        hint = UNSAFE_HINT
        if any(word in reason.lower() for word in ("namespace", "uid map", "permission", "not permitted")):
            hint = (
                "It needs user namespaces: see  sysctl user.max_user_namespaces kernel.unprivileged_userns_clone "
                f"kernel.apparmor_restrict_unprivileged_userns ; inside a container they are often off. {UNSAFE_HINT}"
            )
        return UsageError(f"bubblewrap is installed but makes no jail here: {reason}.", hint=hint)

    def command(self) -> Command:
        python = own_python()
        argv = [str(self._tool), "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--as-pid-1"]
        argv += ["--clearenv", "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--hostname", "jail"]
        for name, value in environment("/tmp").items():
            argv += ["--setenv", name, value]
        argv += self._files(python)
        argv += ["--proc", "/proc", "--remount-ro", "/proc"]
        for device in _DEVICES:
            argv += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        for place, name in enumerate(("stdin", "stdout", "stderr")):
            argv += ["--symlink", f"/proc/self/fd/{place}", f"/dev/{name}"]
        argv += ["--symlink", "/proc/self/fd", "/dev/fd"]
        argv += ["--perms", "0700", "--size", str(_SCRATCH), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/"]
        numpy = self._numpy
        return Command(
            argv=(*argv, "--", str(python), *python_arguments()),
            environment={"PATH": "/usr/bin:/bin"},
            count_processes=_counts_processes(),
            numpy=_NUMPY_PLACE if numpy is not None else "",
        )

    @cached_property
    def _tool(self) -> str | None:
        return shutil.which("bwrap")

    @cached_property
    def _version(self) -> str:
        done = subprocess.run([str(self._tool), "--version"], capture_output=True, text=True, check=False)
        return done.stdout.split()[-1] if done.stdout.split() else "(unknown version)"

    @cached_property
    def _numpy(self) -> Path | None:
        return own_numpy()

    def _files(self, python: Path) -> list[str]:
        prefixes = {Path(os.path.abspath(prefix)) for prefix in (sys.base_prefix, sys.base_exec_prefix)}
        argv: list[str] = []
        folders = ["/usr/lib", "/usr/lib64", "/usr/lib32"]
        for prefix in sorted(prefixes):
            if prefix == Path("/usr"):
                folders += ["/usr/bin"]
            elif prefix.is_relative_to("/tmp"):
                raise self.cannot(f"Python lies in {prefix}, and a jail has a /tmp of its own")
            elif Path.home().is_relative_to(prefix):
                raise self.cannot(f"Python's folder {prefix} holds the home folder, which a jail must not see")
            else:
                folders += [str(prefix)]
        folders += [store for store in _STORES if str(python).startswith(store)]
        for folder in folders:
            if os.path.isdir(folder):
                argv += ["--ro-bind", folder, folder]
        for name in ("/lib", "/lib64", "/lib32"):
            if os.path.islink(name):
                argv += ["--symlink", os.readlink(name), name]
            elif os.path.isdir(name):
                argv += ["--ro-bind", name, name]
        for name in _LIBRARIES:
            argv += ["--ro-bind-try", name, name]
        if not any(str(python).startswith(f"{folder}/") for folder in folders):
            argv += ["--ro-bind", str(python), str(python)]
        if self._numpy is not None:
            # In a folder of their own: numpy finds its libraries relative to itself, its neighbours are not there, and
            # its place outside may be one that the jail covers, such as /tmp.
            for part in (self._numpy, self._numpy.parent / "numpy.libs"):
                argv += ["--ro-bind-try", str(part), f"{_NUMPY_PLACE}/{part.name}"]
        return argv


def _counts_processes() -> bool:
    """Whether RLIMIT_NPROC counts per user namespace (Linux 5.14) and binds this user (root it does not)."""
    release = os.uname().release.split(".")
    try:
        return (int(release[0]), int(release[1])) >= (5, 14) and os.geteuid() != 0
    except (IndexError, ValueError):
        return False


jail = Bubblewrap()
