"""The study: what it writes, that it resumes, grows, and says what went wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gnomon.blocks import Estimate, Marked, Note, Picture, Table, Text
from gnomon.errors import GnomonError, UsageError
from gnomon.importance import (
    ImageDisplay,
    NGram,
    Patches,
    SharedInputError,
    TableDisplay,
    TextDisplay,
    explain,
    grid,
    irt,
    words,
)

TEXTS = ["the film is not good .", "the plot was dull .", "the story is very fine .", "the actor was bad ."]


def reads(texts):
    return np.array([3.0 * ("dull" in one or "bad" in one) + len(one) / 1000 for one in texts])


def study(folder, corpus, model=reads, **given):
    settings = {
        "draws": 199,
        "q": 0.3,
        "background": corpus,
        "sampler": NGram(least=1),
        "runs_dir": folder,
        "chunk": 300,
    }
    return explain(TEXTS, model, **{**settings, **given})


def blocks(run, kind):
    return [one for one in run.result() if isinstance(one, kind)]


def test_a_study_leaves_a_run_that_can_be_read(tmp_path, corpus):
    run = study(tmp_path, corpus)
    assert run.manifest.status == "complete"
    assert len(run.records()) == 4
    assert blocks(run, Estimate)[0].n == sum(len(words(text)) for text in TEXTS)
    assert "q = 0.3" in blocks(run, Text)[0].text
    assert "trigram counts" in blocks(run, Text)[0].text
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "What may be claimed" in page
    assert {table.title.split(",")[0] for table in blocks(run, Table)} == {"Discoveries over all inputs", "Hypotheses"}


class Stopped(Exception):
    """A kill."""


def test_a_stopped_study_goes_on_to_the_same_bytes(tmp_path, corpus):
    whole = study(tmp_path / "a", corpus)
    asked = []

    def stops(texts):
        if len(asked) == 9:
            raise Stopped
        asked.append(len(texts))
        return reads(texts)

    stops.__name__ = "reads"
    with pytest.raises(Stopped):
        study(tmp_path / "b", corpus, model=stops)
    (folder,) = (tmp_path / "b").iterdir()
    lines = (folder / "records.jsonl").read_bytes()
    assert 0 < lines.count(b"\n") < 4
    (folder / "records.jsonl").write_bytes(lines + b'{"id": "half')
    again = []

    def counted(texts):
        again.append(len(texts))
        return reads(texts)

    counted.__name__ = "reads"
    other = study(tmp_path / "b", corpus, model=counted)
    assert (other.path / "result.json").read_bytes() == (whole.path / "result.json").read_bytes()
    assert (other.path / "records.jsonl").read_bytes() == (whole.path / "records.jsonl").read_bytes()
    third = len(again)
    study(tmp_path / "b", corpus, model=counted)
    assert len(again) == third  # nothing is asked twice


def test_a_task_grows_and_never_shrinks(tmp_path):
    given = {"sampler": "ngram", "draws": 19, "runs_dir": tmp_path, "task_args": {"subsets": "capitals-statements"}}
    small = explain("facts", "mock/uniform", limit=3, **given)
    first = small.records()
    large = explain("facts", "mock/uniform", limit=6, **given)
    assert small.path == large.path
    assert len(large.records()) == 6
    assert {name: one.output for name, one in first.items()}.items() <= {
        name: one.output for name, one in large.records().items()
    }.items()
    again = explain("facts", "mock/uniform", limit=2, **given)
    assert blocks(again, Estimate)[0].groups == 6


def test_nan_leaves_a_run_incomplete_until_it_is_waived(tmp_path, corpus):
    def broken(texts):
        return np.where(["dull" in one for one in texts], np.nan, reads(texts))

    run = study(tmp_path, corpus, model=broken)
    assert run.manifest.status == "incomplete"
    assert any("NaN" in note.text for note in blocks(run, Note))
    waived = study(tmp_path, corpus, model=broken, accept_errors=True)
    assert waived.manifest.status == "complete"
    json.loads((waived.path / "result.json").read_text())


def test_bad_input_ends_before_any_work(tmp_path, corpus):
    asked = []

    def never(texts):
        asked.append(texts)
        return reads(texts)

    for given, said in (
        ({"q": 1.2}, "between 0 and 1"),
        ({"test": "ort"}, "irt, osft"),
        ({"test": "osft", "draws": None, "side": "one"}, "no setting 'draws'"),
        ({"groups": "columns"}, "words, sentences"),
        ({"sampler": "copula"}, "for tables"),
        ({"sampler": "ngrm"}, "Did you mean 'ngram'"),
        ({"limit": 0}, "at least one"),
        ({"sampler": "ngram", "background": None}, "must learn"),
        ({"model": "fit/words"}, "needs labels"),
        ({"model": "mock/uniform"}, "needs a task"),
    ):
        with pytest.raises(GnomonError, match=said):
            study(tmp_path, corpus, **{"model": never, **given})
    with pytest.raises(SharedInputError, match="two-sided"):
        explain(TEXTS, never, test="osft", side="one", background=corpus, sampler="ngram", runs_dir=tmp_path)
    with pytest.raises(UsageError, match="shape"):
        explain(3.0, never, runs_dir=tmp_path)
    assert asked == []
    assert list(tmp_path.iterdir()) == []


def test_tables_come_from_files_and_from_sklearn(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    lines = ["a,b,y", *(f"{a},{b},{int(a > 0)}" for a, b in rows)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    run = explain(str(tmp_path / "t.csv"), "fit/logistic", target="y", draws=49, runs_dir=tmp_path / "r")
    assert blocks(run, Estimate)[0].n == 60
    with pytest.raises(UsageError, match="no column 'z'"):
        explain(str(tmp_path / "t.csv"), "fit/logistic", target="z", runs_dir=tmp_path / "r")
    with pytest.raises(UsageError, match="Did you mean 'fit/logistic'"):
        explain(str(tmp_path / "t.csv"), "fit/logistics", target="y", runs_dir=tmp_path / "r")


def test_images_have_their_regions_in_the_report_and_in_displays(tmp_path):
    X = np.random.default_rng(0).integers(90, 160, size=(40, 8, 8, 3)).astype(np.uint8)
    bright = X[:6].copy()
    bright[:, :4, :4] = 255

    def corner(batch):
        return batch[:, :4, :4].mean(axis=(1, 2, 3)) / 10

    given = {"groups": "grid:2x2", "draws": 99, "sampler": Patches(k=20), "background": X[6:], "runs_dir": tmp_path}
    run = explain(bright, corner, **given)
    pictures = blocks(run, Picture)
    assert len(pictures) == 6
    assert all([one.selected for one in picture.regions] == [True, False, False, False] for picture in pictures)
    found = irt(corner, bright, Patches(k=20).fit(X[6:]), grid(2, 2), draws=99)
    html = ImageDisplay(found, bright)._repr_html_()
    assert html.count("<svg") == 6
    assert html.count("#ffd400") == 6
    assert TableDisplay(found, bright)._repr_html_().count("<tr>") == 7


def test_displays_escape_the_text_that_they_show(corpus):
    texts = ["the <b>film</b> was dull ."]
    found = irt(reads, texts, NGram(least=1).fit(corpus), words, draws=199, q=0.5)
    html = TextDisplay(found, texts)._repr_html_()
    assert "<b>" not in html
    assert "&lt;" in html


def test_marks_are_on_the_words(tmp_path, corpus):
    run = study(tmp_path, corpus, q=0.6, draws=400)
    for one in blocks(run, Marked):
        assert one.legend
        for mark in one.marks:
            assert one.text[mark.start : mark.end].isalpha()
            assert mark.label.startswith("p = ")
