"""`gnomon explain` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gnomon.cli import _gnomon


def typed(*words, ok=True):
    done = CliRunner().invoke(_gnomon, ["explain", *map(str, words)], standalone_mode=False)
    if ok and done.exception:
        raise done.exception
    return done


def test_a_table_is_explained(tmp_path):
    done = typed("breast-cancer", "-m", "fit/logistic", "--limit", 5, "--draws", 20, "--runs-dir", tmp_path)
    assert "share of columns discovered" in done.output
    assert "K = 20 draws" in " ".join(done.output.split())
    assert "report.html" in done.output


def test_the_simulations_are_one_command():
    done = typed("--simulate", "--replicates", 2, "--draws", 20, "--json")
    table, note = (json.loads(line) for line in done.output.splitlines())
    assert len(table["rows"]) == 24
    assert "standard errors" in note["text"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name what is explained"),
        (("sst3", "-m", "fit/words"), "Did you mean 'sst2'"),
        (("mmlu", "-m", "mock/uniform"), "mmlu"),
        (("breast-cancer", "-m", "fit/tree"), "fit/boosting"),
        (("breast-cancer", "-m", "fit/logistic", "--q", "2"), "between 0 and 1"),
        (("breast-cancer", "-m", "fit/logistic", "--test", "osft", "--side", "one"), "--allow-shared"),
        (("breast-cancer", "-m", "fit/logistic", "--test", "osft", "--draws", "5"), "no setting 'draws'"),
        (("breast-cancer", "-m", "fit/logistic", "--sampler", "ngram"), "for texts"),
        (("breast-cancer", "-m", "mock/uniform"), "reads texts"),
    ],
)
def test_what_cannot_be_is_one_sentence(words, said, tmp_path):
    done = typed(*words, "--runs-dir", tmp_path, ok=False)
    assert said in str(done.exception.format_message() if hasattr(done.exception, "format_message") else done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_verb_is_there():
    done = subprocess.run(
        [sys.executable, "-m", "gnomon", "explain", "--help"], capture_output=True, text=True, check=True
    )
    assert "--simulate" in done.stdout
