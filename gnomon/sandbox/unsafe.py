"""No jail: a process of the same user, in a folder of its own. Only on request.

Belongs here: what can be had without namespaces. Does not belong here: anything that pretends to be safe.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from gnomon.errors import UsageError
from gnomon.sandbox._kind import JailKind
from gnomon.sandbox._process import Command, environment, own_numpy, own_python, python_arguments

__all__ = ["Unsafe", "jail"]


class Unsafe(JailKind):
    """The same zygote and limits without walls: a program may read and write all that the user may.

    What still holds: time, memory, output; where the system call filter can be had, no other programs, no processes, no
    network. For debugging a grader, or for programs that you would run yourself.

    >>> Unsafe().safe
    False
    """

    name = "unsafe"
    safe = False

    def missing(self) -> UsageError | None:
        return None

    def label(self) -> str:
        return "no jail (programs ran with the user's own rights)"

    def command(self) -> Command:
        folder, numpy = Path(tempfile.mkdtemp(prefix="gnomon-unsafe-")), own_numpy()
        return Command(
            argv=(str(own_python()), *python_arguments()),
            environment=environment(str(folder)),
            scratch=str(folder),
            own_scratch=False,
            numpy=str(numpy.parent) if numpy is not None else "",
            remove=folder,
        )


jail = Unsafe()
