"""Many requests at a time behind a plain iterator: an event loop in a thread of its own.

Belongs here: running, handing over, stopping. Does not belong here: what is asked (`_server_*.py`) or how (`_http.py`).

The thread makes this work inside notebooks, whose main thread runs a loop already, and lets requests go on while the
caller writes down what has come. Closing the iterator cancels all requests that are under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

__all__ = ["as_done"]

J = TypeVar("J")
R = TypeVar("R")
C = TypeVar("C")

_AHEAD = 4  # results for each worker that may wait for the caller; then work pauses, and costs nothing


def as_done(
    jobs: Iterable[J], opened: AbstractAsyncContextManager[C], work: Callable[[C, J], Awaitable[R]], workers: int
) -> Generator[list[R], None, None]:
    """Yield the results of `work(client, job)` in batches, as they are done, `workers` (>= 1) at a time.

    `jobs` are taken one by one when a worker is free. An exception of a job ends all work and is raised here, after the
    results before it.

    >>> class Opened(contextlib.nullcontext): pass
    >>> async def double(client, job): return 2 * job
    >>> sorted(one for batch in as_done([1, 2, 3], Opened(), double, workers=2) for one in batch)
    [2, 4, 6]
    """
    loop = _Loop(jobs, opened, work, workers)
    loop.start()
    try:
        while True:
            batch, end = loop.take()
            if batch:
                yield batch
            if end:
                break
        if loop.error is not None:
            raise loop.error
    finally:
        loop.stop()


class _End:
    """No result comes after this."""


class _Loop(Generic[J, R, C]):
    def __init__(
        self,
        jobs: Iterable[J],
        opened: AbstractAsyncContextManager[C],
        work: Callable[[C, J], Awaitable[R]],
        workers: int,
    ) -> None:
        self.error: BaseException | None = None
        self._jobs, self._opened, self._work, self._workers = iter(jobs), opened, work, workers
        self._results: queue.SimpleQueue[R | _End] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(workers * _AHEAD)
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._main())
        self._thread = threading.Thread(target=self._run, name="gnomon-server", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> tuple[list[R], bool]:
        """All results that are there, at least one unless the end has come, and whether it has."""
        batch: list[R] = []
        while True:
            try:
                one = self._results.get(block=not batch, timeout=1.0)
            except queue.Empty:
                if batch:
                    return batch, False
                continue  # waiting in short turns keeps Ctrl-C alive everywhere
            if isinstance(one, _End):
                return batch, True
            batch.append(one)
            self._call(self._room.release)

    def stop(self) -> None:
        """Cancel what is under way and wait for the thread, though not for ever: a name server may hold it."""
        self._call(self._task.cancel)
        self._thread.join(timeout=10)

    def _call(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # it is raised in the caller's thread
            self.error = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._results.put(_End())

    async def _main(self) -> None:
        async with self._opened as client:
            tasks = [asyncio.create_task(self._worker(client)) for _ in range(self._workers)]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _worker(self, client: C) -> None:
        while True:
            await self._room.acquire()
            try:
                job = next(self._jobs)
            except StopIteration:
                return
            self._results.put(await self._work(client, job))
