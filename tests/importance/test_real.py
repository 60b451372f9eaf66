"""Real data: what is discovered in reviews and in pictures; reported, and asserted only where it must hold."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.importance import NGram, irt, words
from gnomon.importance._fitted import fitted
from gnomon.stats import stream

STOP = {"the", "a", "an", "of", "and", "to", "in", "is", "it", "that", "this", "for", "with", "as", "but", "by", "its"}


@pytest.mark.realdata
@pytest.mark.slow
def test_20_words_of_reviews_under_an_ngram_sampler(release, record_property):
    folder = release("tabular") / "rt_polarity"
    lines, labels = [], []
    for label, name in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        found = (folder / name).read_text(encoding="utf-8").splitlines()
        lines, labels = lines + found, labels + [label] * len(found)
    order = stream(0, "reviews").permutation(len(lines))
    explained, rest = [lines[at] for at in order[:60]], order[60:]
    teach = [lines[at] for at in rest]
    model = fitted("fit/words", teach, [labels[at] for at in rest], "text")
    found = irt(model, explained, NGram().fit(teach), words, draws=400, adaptive=8, q=0.2)
    names = [one.group.name for one, hit in zip(found.observed.hypotheses, found.selected, strict=True) if hit]
    every = [one.group.name for one in found.observed.hypotheses]
    record_property("discovered", ", ".join(names))
    record_property("stop words among discoveries", np.mean([one in STOP for one in names]) if names else None)
    print(f"\n{len(names)} of {len(every)}: {', '.join(names)}")
    assert found.outputs.m == len(every)
    assert np.isfinite(found.p_values).all()
