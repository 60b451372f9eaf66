"""Small releases and models whose states are known, for whole studies."""

import itertools

import numpy as np
import pytest

import gnomon
from gnomon.asks import Failed, Reading, States
from gnomon.models.mock import Oracle

FAST = {"methods": ("ccs", "crc-tpc", "logistic"), "curve": False, "limit": 120, "restarts": 3}
CAPITALS = {"subsets": "capitals-statements"}


@pytest.fixture
def probed(tmp_path, monkeypatch):
    """A function that runs a fast study of the capitals (other settings as given) in a cache of its own."""
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "cache"))

    def run(model="mock/oracle", tasks="facts", task_args=CAPITALS, **given):
        return gnomon.probe(tasks, model, runs_dir=tmp_path / "runs", task_args=task_args, **{**FAST, **given})

    return run


@pytest.fixture
def block():
    """A function that finds a block of a run by its kind and the start of its title."""

    def find(run, kind, title=""):
        return next(one for one in run.result() if one.kind == kind and (not title or one.title.startswith(title)))

    return find


@pytest.fixture
def notes():
    """A function that gives all notes of a run as (level, text)."""
    return lambda run: [(one.level, one.text) for one in run.result() if one.kind == "note"]


@pytest.fixture
def cities(tmp_path, write_csv):
    """A folder with a release of true and false statements: 60 cities, affirmed and negated, two statements each."""
    rows = {"cities": [], "neg_cities": []}
    for number in range(60):
        for right in (1, 0):
            land = f"Land{number if right else (number + 1) % 60}"
            known = (f"City{number}", land, f"Land{number}")
            rows["cities"].append((f"The city of City{number} is in {land}.", str(right), *known))
            rows["neg_cities"].append((f"The city of City{number} is not in {land}.", str(1 - right), *known))
    for name, several in rows.items():
        header = ("statement", "label", "city", "country", "correct_country")
        write_csv(tmp_path / "data" / "true_false" / f"{name}.csv", [header, *several])
    return tmp_path / "data"


NUMBERS = itertools.count(1)


class Short(Oracle):
    """Reads the last `most` words of a question."""

    def __init__(self, most):
        super().__init__(f"mock/short-{most}")
        self.most = most

    def _inside(self, index, reading):
        words = reading.question.split()
        cut = max(0, len(words) - self.most)
        rest = Reading(" ".join(words[cut:]), reading.answers, reading.after)
        found = super()._inside(index, rest if cut else reading)
        return States(found.values, found.tokens, cut)


class Broken(Oracle):
    """Holds NaN at layer 1 of every text that `breaks`; both its sides are equal where `equal`."""

    def __init__(self, breaks=lambda text: False, equal=lambda text: False, silent=lambda text: False):
        super().__init__(f"mock/broken-{next(NUMBERS)}")  # each has states of its own in the store
        self.breaks, self.equal, self.silent = breaks, equal, silent

    def _inside(self, index, reading):
        found = super()._inside(index, reading)
        values = np.array(found.values)
        if self.breaks(reading.question):
            values[1, 1, 5] = np.nan
        if self.equal(reading.question):
            values[1] = values[0]
        return States(values, found.tokens)

    def _answer(self, index, ask):
        return Failed("no answer today") if self.silent(ask.context) else super()._answer(index, ask)


@pytest.fixture
def short():
    return Short


@pytest.fixture
def broken():
    return Broken
