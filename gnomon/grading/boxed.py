r"""Finding the final answer in a written solution: the box, the dollars, the phrase, the last line.

Belongs here: the steps from a text to the string that is judged, each under its own name, none falling back on
another unseen. Does not belong here: whether two answers agree (`equivalence.py`), prompts (`tasks/`).

`last_boxed`, `remove_boxed`, `boxed_official` and `between_dollars` follow MATH's release (Hendrycks et al. 2021,
`dataset/util.py`, `eval_math_gpt.py`, `evaluate_gpt3.py`), faults included. `boxed_corrected` mends the faults.
"""

from __future__ import annotations

import re

__all__ = [
    "after_phrase",
    "between_dollars",
    "boxed_corrected",
    "boxed_official",
    "last_boxed",
    "last_line",
    "remove_boxed",
]

_BRACE = re.compile(r"[{}]")
# A box that is not the start of a longer command, an escaped character (which is no brace), or a brace.
_MARK = re.compile(r"\\(?P<box>boxed|fbox)(?![A-Za-z])|\\.|(?P<brace>[{}])", re.DOTALL)
_BARE = re.compile(r"(.*?)(?:\$|\\\)|\\\]|\n|\\(?:boxed|fbox)(?![A-Za-z])|\Z)", re.DOTALL)
_MINERVA_END = re.compile(r"\.\s*I hope\b")
_DOLLAR_STOP = re.compile(r"\$|###|\n")
_PHRASE = re.compile(r"\banswer(?:[ \t]+is\b[ \t]*:?|[ \t]*:)", re.IGNORECASE)
_DECORATION = " \t\r*_`"


def last_boxed(text: str) -> str | None:
    r"""The last box with its command, or None where its braces never balance (MATH's release, `dataset/util.py`).

    The last `\boxed` counts; where there is none, the last `\fbox`. Braces are counted from there without a look at
    what stands before them: `\{` and `\}` count, a closing brace before the first opening one counts as -1, and
    `\boxed 5` takes in whatever braces come next.

    >>> last_boxed(r"first \boxed{1}, then \boxed{\frac{1}{2}}.")
    '\\boxed{\\frac{1}{2}}'
    >>> last_boxed(r"\boxed{1") is None
    True
    """
    start = text.rfind(r"\boxed")
    if start < 0:
        start = text.rfind(r"\fbox")
    if start < 0:
        return None
    depth = 0
    for brace in _BRACE.finditer(text, start):
        if brace[0] == "{":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return text[start : brace.end()]
    return None


def remove_boxed(box: str | None) -> str | None:
    r"""What stands between `\boxed{` and a final `}`; None for any other shape, `\fbox{3}` among them (the release).

    >>> remove_boxed(r"\boxed{\{1,2\}}")
    '\\{1,2\\}'
    >>> remove_boxed(r"\fbox{3}") is None
    True
    """
    left = r"\boxed{"
    if box is None or not (box.startswith(left) and box.endswith("}")):
        return None
    return box[len(left) : -1]


def boxed_official(text: str) -> str | None:
    r"""The answer in the last box as MATH's release reads it: `remove_boxed(last_boxed(text))`.

    >>> boxed_official(r"so $x = \boxed{5}$")
    '5'
    >>> boxed_official(r"\boxed{5} and then \boxed ") is None
    True
    """
    return remove_boxed(last_boxed(text))


def boxed_corrected(text: str) -> str | None:
    r"""The answer in the last box that holds one, outer spaces removed; None where no box does.

    Mended against the release:

    - escaped braces (`\{`, `\}`, `\left\{`) are characters, not groups;
    - `\boxed {5}` is read like `\boxed{5}`, and `\fbox{5}` gives 5;
    - `\boxed 5` gives what stands up to the next `$`, `\)`, `\]`, box or line end, less a final full stop;
    - a closing brace before the box's own brace no longer takes part in the count;
    - a last box that is bare, empty or never closed gives way to the one before it;
    - `\boxedx` is another command, not a box.

    `\fbox` still counts only where no `\boxed` holds an answer. Time is linear in the text.

    >>> boxed_corrected(r"\boxed{\left\{ 1 \right.} or so")
    '\\left\\{ 1 \\right.'
    >>> boxed_corrected(r"It is $\boxed 5$. So \boxed{6"), boxed_corrected(r"\fbox{3}")
    ('5', '3')
    """
    closes: dict[int, int] = {}
    opened: list[int] = []
    boxes: dict[str, list[int]] = {"boxed": [], "fbox": []}
    for mark in _MARK.finditer(text):
        if mark["brace"] == "{":
            opened.append(mark.start())
        elif mark["brace"] == "}":
            if opened:
                closes[opened.pop()] = mark.start()
        elif mark["box"]:
            boxes[mark["box"]].append(mark.end())
    for name in ("boxed", "fbox"):
        for end in reversed(boxes[name]):
            content = _content(text, end, closes)
            if content:
                return content
    return None


def _content(text: str, end: int, closes: dict[int, int]) -> str:
    """What the box whose command ends at `end` holds, stripped; empty where it holds nothing or is not closed."""
    start = end
    while start < len(text) and text[start].isspace():
        start += 1
    if start < len(text) and text[start] == "{":
        close = closes.get(start)
        return "" if close is None else text[start + 1 : close].strip()
    bare = _BARE.match(text, end)
    return bare[1].strip().removesuffix(".").rstrip() if bare else ""


def between_dollars(text: str) -> str:
    r"""The answer in a completion of `Answer: $`: up to the first `$`, `###` or line feed (the release's GPT-3 code).

    The release compares whole tokens with the three stops and never looks at the first token, so an empty answer
    does not exist there: the stop itself becomes the answer's start, and reading goes on. Tokens are not known here;
    the first character (or a leading `###`) plays the first token's part. The two readings differ only where a stop
    hides within a longer token, such as `.$`, which the release reads past. Nothing is stripped.

    >>> between_dollars("\\frac{1}{32}$\n###\nProblem: What")
    '\\frac{1}{32}'
    >>> between_dollars("$\n###"), between_dollars("7 apples")
    ('$', '7 apples')
    """
    stop = _DOLLAR_STOP.search(text, 3 if text.startswith("###") else 1)
    return text[: stop.start()] if stop else text


def after_phrase(text: str) -> str | None:
    """What follows the last "answer is" or "answer:" up to the line's end, in whatever case; None without either.

    Spaces, Markdown's emphasis, one final full stop and the sentence "I hope it is correct." of Minerva's prompt are
    removed. Not part of MATH's release.

    >>> after_phrase("So **the final answer is: 1/2**.")
    '1/2'
    >>> after_phrase("It is 5.") is None
    True
    """
    ends = [phrase.end() for phrase in _PHRASE.finditer(text)]
    if not ends:
        return None
    line = text[ends[-1] :].strip().partition("\n")[0]
    line = _MINERVA_END.split(line, maxsplit=1)[0]
    return _undecorated(line) or None


def last_line(text: str) -> str | None:
    """The last line that is not blank, undecorated as in `after_phrase`; None where all are. Not in MATH's release.

    >>> last_line("Add them:\\n\\n**42**\\n")
    '42'
    """
    text = text.rstrip()
    return _undecorated(text[text.rfind("\n") + 1 :]) or None


def _undecorated(line: str) -> str:
    return line.strip(_DECORATION).removesuffix(".").strip(_DECORATION)
