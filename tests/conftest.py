"""What all tests share: real data where present, small releases made for a test, an environment of their own."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

HINT = "set GNOMON_TEST_DATA to the folder that holds mmlu/ and ethics/"
_NO_DATA = "no real data of"
_OWN_CACHE = os.environ.get("GNOMON_CACHE")


def pytest_configure() -> None:
    # The hub's library reads this once, when it is imported: before any fixture could set it.
    os.environ["HF_HUB_OFFLINE"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "release" in getattr(item, "fixturenames", ()) and item.get_closest_marker("realdata") is None:
            raise pytest.UsageError(f"{item.nodeid} reads real data and is not marked 'realdata'")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    number = sum(_NO_DATA in reason for reason in skipped)
    if number:
        terminalreporter.write_line(f"{number} real-data tests skipped: {HINT}")


@pytest.fixture(scope="session")
def release() -> Callable[[str], Path]:
    """The folder of a release ("mmlu", "ethics") in its own layout; skips the test where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("GNOMON_TEST_DATA") or beside)

    def find(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"{_NO_DATA} {name} under {root}")
        return root / name

    return find


@pytest.fixture(scope="session")
def _session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gnomon-cache")


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, _session_cache: Path) -> None:
    """No test sees the user's data folder or writes into the user's cache, and none asks the network."""
    monkeypatch.setenv("GNOMON_CACHE", str(_session_cache))
    monkeypatch.delenv("GNOMON_DATA", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """The user's own gnomon cache: a converted model (20 seconds, 0.5 GB) is shared by all runs of the tests.

    A test that loads such a model sets it back: `monkeypatch.setenv("GNOMON_CACHE", str(model_cache))`.
    """
    if _OWN_CACHE:
        return Path(_OWN_CACHE)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gnomon"


def _write(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


@pytest.fixture(scope="session")
def write_csv() -> Callable[[Path, Iterable[Sequence[str]]], Path]:
    """Writes rows as the releases do: minimal quoting, UTF-8, line feeds."""
    return _write


@pytest.fixture
def small_release(tmp_path: Path) -> Callable[[str], Path]:
    """A folder in the layout of "mmlu" (anatomy, virology) or "ethics" (all), a few rows each; needs `counts=any`."""

    def make(name: str) -> Path:
        {"mmlu": _small_mmlu, "ethics": _small_ethics}[name](tmp_path / name)
        return tmp_path / name

    return make


def _small_mmlu(folder: Path) -> None:
    for subject in ("anatomy", "virology"):
        for split, count in (("dev", 5), ("val", 6), ("test", 4)):
            rows = [
                [f"{subject} {split} question {n}?", *(f"choice {n}{letter}" for letter in "abcd"), "ABCD"[n % 4]]
                for n in range(count)
            ]
            _write(folder / split / f"{subject}_{split}.csv", rows)


def _small_ethics(folder: Path) -> None:
    for split in ("test", "test_hard"):
        deontology = [[str(n % 2), f"Could you do {split} task {n // 4}?", f"But it is day {n}."] for n in range(8)]
        virtue = [[str(int(n % 5 == 2)), f"Person {n // 5} acted. [SEP] trait{n}"] for n in range(10)]
        commonsense = [[str(n % 2), f"I did thing {n}.", str(n < 4), "False"] for n in range(6)]
        _write(
            folder / "justice" / f"justice_{split}.csv",
            [["label", "scenario"], *([str(n % 2), f"I deserve {n} because of it."] for n in range(8))],
        )
        _write(folder / "deontology" / f"deontology_{split}.csv", [["label", "scenario", "excuse"], *deontology])
        _write(folder / "virtue" / f"virtue_{split}.csv", [["label", "scenario"], *virtue])
        _write(folder / "commonsense" / f"cm_{split}.csv", [["label", "input", "is_short", "edited"], *commonsense])
        _write(
            folder / "utilitarianism" / f"util_{split}.csv",
            [[f"I was given {n} cakes.", f"I was given {n} stones."] for n in range(4)],
        )
