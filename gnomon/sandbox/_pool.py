"""Many jails at once: one for each core, each with a thread of the parent.

Belongs here: handing out work. Does not belong here: what the work is.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TypeVar

from gnomon.sandbox._jail import Jail
from gnomon.sandbox._kind import JailKind, find_jail
from gnomon.sandbox._types import Job, Outcome

__all__ = ["Pool", "Worker"]

T = TypeVar("T")
R = TypeVar("R")


class Worker:
    """What one thread of a pool works with: a jail, and a second one that shares nothing with it.

    Attributes
    ----------
    jail : Jail
        For the program.
    other : Jail
        For a program that must not meet the first one, or for a checker; it is started when it is first used.
    """

    def __init__(self, kind: JailKind) -> None:
        self.jail = Jail(kind)
        self.other = Jail(kind)

    def close(self) -> None:
        """End both jails."""
        self.jail.close()
        self.other.close()


class Pool:
    """Warm jails, as many as there are cores, which stay until the pool is closed.

    Parameters
    ----------
    kind : JailKind or None
        From `find_jail`; None finds one.
    workers : int or None
        Jails that work at the same time; None takes the cores that this process may use.
    """

    def __init__(self, kind: JailKind | None = None, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers={workers}: at least one is needed.")
        self.kind = kind if kind is not None else find_jail()
        self.workers = workers or _cores()
        self._all = [Worker(self.kind) for _ in range(self.workers)]
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._all:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="gnomon-pool")

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def map(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Outcome]]:
        """Run `jobs`; yields (place in `jobs`, outcome) as they are done. `jobs` is read a little ahead only."""
        return self.each(jobs, lambda worker, job: worker.jail.run(job))

    def each(self, items: Iterable[T], work: Callable[[Worker, T], R]) -> Iterator[tuple[int, R]]:
        """Call `work(worker, item)` for every item, in threads; yields (place in `items`, result) as they are done.

        An exception of `work` is raised here, after the calls that already run have come to their end; so do they when
        the iterator is closed early.
        """
        waiting: set[Future[tuple[int, R]]] = set()
        try:
            for index, item in enumerate(items):
                waiting.add(self._threads.submit(self._with_worker, index, item, work))
                # Twice as many as can run: no thread waits for the next, and a long list is not taken in at once.
                while len(waiting) >= 2 * self.workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()
            wait(waiting)

    def close(self) -> None:
        """Wait for running work and end all jails. May be called again."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._all:
            worker.close()

    def _with_worker(self, index: int, item: T, work: Callable[[Worker, T], R]) -> tuple[int, R]:
        worker = self._idle.get()
        try:
            return index, work(worker, item)
        finally:
            self._idle.put(worker)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
