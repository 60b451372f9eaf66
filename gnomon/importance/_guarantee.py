"""What a selection guarantees, in words, and what it leaves open.

Belongs here: sentences that follow from the test, the rule, the family and the sampler. Does not belong here: cautions
that are read off the numbers (`_cautions.py`).
"""

from __future__ import annotations

from gnomon.importance._outputs import Outputs
from gnomon.importance._sampler import Sampler
from gnomon.importance._test import ImportanceTest
from gnomon.importance.methods.irt import IRT
from gnomon.importance.methods.osft import OSFT

__all__ = ["family", "guarantee"]

_RULES = {
    "bh": "Benjamini-Hochberg, which holds for independent and for positively dependent (PRDS) hypotheses",
    "by": "Benjamini-Yekutieli, which holds under any dependence",
    "ebh": "e-BH, which holds under any dependence",
}


def family(outputs: Outputs, inputs: int) -> str:
    """What is tested together.

    >>> family(Outputs([1.0, 1.0], [[0.0]] * 2, inputs=[0, 0]), 1)
    'One family: 2 hypotheses about 1 input, tested together.'
    """
    said = f"One family: {outputs.m:,} hypotheses about {inputs:,} input{'s' if inputs != 1 else ''}, tested together."
    return said + (" The rate holds over all of them, not for each input alone." if inputs > 1 else "")


def guarantee(test: ImportanceTest, outputs: Outputs, sampler: Sampler | None) -> list[str]:
    """What the discoveries may be called, sentence by sentence.

    >>> print(guarantee(IRT(q=0.1), Outputs([1.0], [[0.0]]), None)[0])
    Of the discoveries, at most a share of q = 0.1 is false on average: features that could as well have been drawn ...
    """
    said = [
        f"Of the discoveries, at most a share of q = {test.q:g} is false on average: features that could as well have "
        "been drawn from the counterfactual distribution, given what stayed. A discovery says that this value of the "
        "feature made the output unusual; it does not say that the model is right, nor that the feature is a cause.",
        _rule(test, outputs),
    ]
    return [*said, _sampler(sampler)]


def _rule(test: ImportanceTest, outputs: Outputs) -> str:
    shared = outputs.shared
    if isinstance(test, IRT):
        text = f"Each p-value is valid exactly, whatever the model. The selection is by {_RULES[test.rule]}."
        if test.rule == "bh" and shared:
            text += (
                f" {shared:,} hypotheses share f(x) with others of their input: that they are positively dependent is "
            )
            text += "not proved; in simulation the rate held."
        return text
    text = "The selection is by the knockoff+ rule, which needs the signs of null statistics to be independent."
    if not shared:
        return f"{text} They are: every hypothesis has an input of its own."
    if isinstance(test, OSFT) and not test.holds_on_shared:
        return f"{text} They are not: {shared:,} hypotheses share f(x), and the rate is NOT held; you chose to go on."
    return f"{text} That is approximate: {shared:,} hypotheses share f(x). In simulation the rate held."


def _sampler(sampler: Sampler | None) -> str:
    if sampler is None:
        return "Nothing is known here of where the counterfactuals come from: the guarantee is relative to them."
    name = type(sampler).__name__
    if sampler.exact:
        return f"The counterfactuals ({name}) come from the true conditional law, so nothing is left open by them."
    text = f"The counterfactuals ({name}: {sampler.about}) are an approximation. All of the above is valid as far as "
    return f"{text}{sampler.leaves_open}."
