"""Where untrusted Python programs run: warm jails, limits, outcomes. One file is one kind of jail.

Belongs here: the room's public names. Does not belong here: any benchmark; a driver says what a program is given, and
who wrote it judges what comes back.
"""

from gnomon.sandbox._jail import Ended, Jail, Session
from gnomon.sandbox._kind import JailKind, find_jail, kinds
from gnomon.sandbox._pool import Pool, Worker
from gnomon.sandbox._process import Command
from gnomon.sandbox._types import STATUSES, Job, Limits, Outcome, Status

__all__ = [
    "Command",
    "Ended",
    "Jail",
    "JailKind",
    "Job",
    "Limits",
    "Outcome",
    "Pool",
    "STATUSES",
    "Session",
    "Status",
    "Worker",
    "find_jail",
    "kinds",
]
