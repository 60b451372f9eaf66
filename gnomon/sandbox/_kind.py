"""What a kind of jail is.

Belongs here: the interface that one file a kind implements, the registry, and choosing one. Does not belong here: any
kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar

from gnomon.errors import UsageError
from gnomon.registry import Registry
from gnomon.sandbox._process import Command, Process
from gnomon.sandbox._wire import Dead

__all__ = ["UNSAFE_HINT", "JailKind", "find_jail", "kinds"]

UNSAFE_HINT = "Or run programs without a jail, as you yourself:  --unsafe-code ."
_PREFERRED = ("bubblewrap", "container")


class JailKind(ABC):
    """One way to hold untrusted programs. A subclass says how a jail is started; all else is the same for all kinds.

    Attributes
    ----------
    name : str
        The file's name.
    safe : bool
        False for a kind that keeps nothing in.
    """

    name: ClassVar[str]
    safe: ClassVar[bool] = True

    @abstractmethod
    def missing(self) -> UsageError | None:
        """What this machine lacks, and the line that installs it; None where all is there. Starts no jail."""

    @abstractmethod
    def command(self) -> Command:
        """How the next jail is started."""

    @abstractmethod
    def label(self) -> str:
        """Tool, version, and what is kept apart, in a few words."""

    def cannot(self, reason: str) -> UsageError:
        """The error for a machine that has the tool and still gets no jail from it."""
        return UsageError(f"{self.name} is installed but makes no jail here: {reason}.", hint=UNSAFE_HINT)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a jail of this kind says of itself; starts one, once, and raises UsageError where that fails."""
        lacking = self.missing()
        if lacking is not None:
            raise lacking
        try:
            process = Process(self.command())
        except Dead as error:
            raise self.cannot(str(error).rstrip(".")) from error
        facts = process.facts
        process.stop()
        return facts

    def describe(self) -> str:
        """One line for records: tool, version, what is kept apart, system call filter, Python, numpy."""
        facts = self.facts
        seccomp = "system calls filtered" if facts["seccomp"] else "no system call filter"
        numpy = f"numpy {facts['numpy']}" if facts["numpy"] else "no numpy"
        return f"{self.label()}, {seccomp}, Python {facts['python']}, {numpy}"


kinds = Registry(kind="jail", package="gnomon.sandbox", attribute="jail", group="gnomon.jails")


def find_jail(kind: str | None = None, unsafe: bool = False) -> JailKind:
    """A kind of jail that works on this machine; it has been tried.

    Parameters
    ----------
    kind : str or None
        Its name; None takes the first that works of bubblewrap and container.
    unsafe : bool
        Allows programs to run without a jail: where `kind` is "unsafe", or where no jail works.

    Raises
    ------
    UsageError
        Where none works: says for each what is missing, with the line that installs it.

    >>> find_jail("unsafe")
    Traceback (most recent call last):
    gnomon.errors.UsageError: the kind of jail 'unsafe' keeps nothing in. Say that you want it:  --unsafe-code .
    """
    if kind is not None:
        one: JailKind = kinds.load(kind)
        if not one.safe and not unsafe:
            raise UsageError(
                f"the kind of jail '{kind}' keeps nothing in.", hint="Say that you want it:  --unsafe-code ."
            )
        _ = one.facts
        return one
    reasons = []
    for name in _PREFERRED:
        one = kinds.load(name)
        try:
            _ = one.facts
        except UsageError as error:
            reasons.append(str(error).replace(f" {UNSAFE_HINT}", ""))
        else:
            return one
    if unsafe:
        without: JailKind = kinds.load("unsafe")
        return without
    raise UsageError(f"untrusted programs need a jail, and none works here: {' '.join(reasons)}", hint=UNSAFE_HINT)
