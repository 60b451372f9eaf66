"""How far a run is: a bar on a terminal, plain lines elsewhere, nothing for what takes under two seconds.

Belongs here: showing. Does not belong here: counting (`runs/`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Bar", "bars"]

_QUIET = 2.0
_EVERY = 15.0


@contextlib.contextmanager
def bars(label: str, enabled: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """One bar at a time: gives a function to be called with (what, done, total). Another thing ends the bar before it;
    one that comes back goes on."""
    seen: set[str] = set()
    current: tuple[str, Bar] | None = None

    def progress(what: str, done: int, total: int) -> None:
        nonlocal current
        if current is None or current[0] != what:
            if current is not None:
                current[1].__exit__(None, None, None)
            current = what, Bar(f"{what} · {label}", enabled=enabled, resumed=what not in seen)
            seen.add(what)
        current[1](done, total)

    try:
        yield progress
    finally:
        if current is not None:
            current[1].__exit__(None, None, None)


class Bar:
    """Call it with (done, total); it draws on standard error. `resumed`: say so where something is done already."""

    def __init__(self, label: str, enabled: bool = True, resumed: bool = True) -> None:
        self._label, self._enabled, self._resumed = label, enabled, resumed
        self._began = self._said = time.monotonic()
        self._first: int | None = None
        self._console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._done = self._total = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = done, now
            if 0 < done < total and self._enabled and self._resumed:
                print(
                    f"{self._label}: {done:,} of {total:,} are recorded already; going on", file=sys.stderr, flush=True
                )
        if not self._enabled or (now - self._began < _QUIET and self._bar is None):
            return
        rate = (done - self._first) / max(1e-9, now - self._began)
        if self._console.is_terminal:
            self._draw(done, total, rate)
        elif now - self._said >= _EVERY and done < total:
            self._said = now
            left = f", {_duration((total - done) / rate)} left" if rate > 0 else ""
            print(f"{self._label}: {done:,} of {total:,}, {rate:.1f}/s{left}", file=sys.stderr, flush=True)

    def _draw(self, done: int, total: int, rate: float) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._bar.add_task(self._label, total=total, rate="")
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, rate=f"{rate:.1f}/s")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
