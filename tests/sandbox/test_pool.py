"""Many jails: every item once, in parallel, lazily, and an exception ends it in good order."""

from __future__ import annotations

import itertools
import os
import threading
import time

import pytest

from gnomon.sandbox import Job, Pool


@pytest.fixture(scope="module")
def pool(bubblewrap):
    with Pool(bubblewrap, workers=2) as one:
        yield one


def test_every_job_comes_back_once_with_its_own_place(pool, program):
    jobs = [program(f"print({n})") for n in range(25)]
    done = list(pool.map(jobs))
    assert sorted(index for index, _ in done) == list(range(25))
    assert all(outcome.stdout == b"%d\n" % index for index, outcome in done)


def test_what_is_done_first_comes_first(pool, program):
    jobs = [program("import time; time.sleep(0.5)"), program("pass")]
    assert [index for index, _ in pool.map(jobs)] == [1, 0]


def test_jobs_run_at_the_same_time(pool, program):
    """Two that sleep for half a second take less than one."""
    list(pool.map([program("pass")] * 4))
    started = time.monotonic()
    list(pool.map([program("import time; time.sleep(0.5)")] * 2))
    assert time.monotonic() - started < 0.95


def test_one_bad_job_does_not_touch_the_others(pool, program):
    texts = ["while True: pass", "import os; os.abort()", "print('x' * 10 ** 4)", "import os; os._exit(0)", "print(1)"]
    outcomes = dict(pool.map([program(texts[n % 5], seconds=0.3 if n % 5 == 0 else 4, output=1000) for n in range(20)]))
    assert [outcomes[n].status for n in range(20)] == ["timeout", "killed", "output", "error", "ok"] * 4


def test_items_are_read_a_little_ahead_only(pool, program):
    read = []
    jobs = (read.append(n) or program("pass") for n in itertools.count())
    results = pool.map(jobs)
    for _ in range(3):
        next(results)
    assert len(read) <= 3 + 2 * pool.workers
    results.close()
    assert dict(pool.map([program("print(1)")]))[0].ok


def test_work_has_two_jails_that_share_nothing(pool, program):
    def work(worker, item):
        with (
            worker.jail.talk(program("emit(receive() * 2)")) as first,
            worker.other.talk(program("emit(receive() + 1)")) as second,
        ):
            first.send(item)
            second.send(first.receive())
            return second.receive(), worker.jail.pid != worker.other.pid, threading.current_thread().name

    done = dict(pool.each(range(8), work))
    assert [done[n][:2] for n in range(8)] == [(2 * n + 1, True) for n in range(8)]
    assert all(name.startswith("gnomon-pool") for _, _, name in done.values())


def test_an_exception_of_work_is_raised_and_ends_it(pool, program):
    seen = []

    def work(worker, item):
        seen.append(item)
        if item == 2:
            raise LookupError("item 2")
        return worker.jail.run(program("pass")).status

    with pytest.raises(LookupError, match="item 2"):
        list(pool.each(itertools.count(), work))
    count = len(seen)
    time.sleep(0.1)
    assert len(seen) == count
    assert dict(pool.map([program("print(1)")]))[0].ok


def test_nothing_asked_for_starts_nothing(bubblewrap):
    with Pool(bubblewrap) as pool:
        assert pool.workers == len(os.sched_getaffinity(0))
        assert list(pool.map([])) == []
        assert not any(worker.jail.alive or worker.other.alive for worker in pool._all)


def test_closing_ends_all_jails(bubblewrap, program):
    with Pool(bubblewrap, workers=2) as pool:
        list(
            pool.each(
                range(4),
                lambda worker, _: (worker.jail.run(program("pass")), worker.other.run(Job(program("").driver, "pass"))),
            )
        )
        pids = [jail.pid for worker in pool._all for jail in (worker.jail, worker.other) if jail.alive]
        assert pids
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    pool.close()


def test_a_pool_without_workers_is_refused(bubblewrap):
    with pytest.raises(ValueError, match="workers=0"):
        Pool(bubblewrap, workers=0)
