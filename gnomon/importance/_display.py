"""Discoveries to look at from Python: one Display a kind of data, drawn by notebooks, or written as HTML.

Belongs here: small pieces of HTML. Does not belong here: tests, or the report of a run (`gnomon/report`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from gnomon.errors import UsageError
from gnomon.importance._explained import Explained
from gnomon.importance._groups import Spans
from gnomon.importance._observe import Hypothesis
from gnomon.importance._summary import hypothesis_label, picture

__all__ = ["ImageDisplay", "TableDisplay", "TextDisplay"]


@dataclass(frozen=True, eq=False)
class _Display:
    """Inputs, and the test of hypotheses about them (made by `irt` or `osft` from a subject)."""

    explained: Explained
    inputs: Sequence[Any]

    def _family(self) -> tuple[Hypothesis, ...]:
        if self.explained.observed is None:
            raise UsageError("a display needs hypotheses with their groups.", hint="Call irt or osft with a subject.")
        return self.explained.observed.hypotheses

    def _of(self, number: int) -> list[int]:
        return [row for row, one in enumerate(self._family()) if one.input == number]


class TextDisplay(_Display):
    """Texts with discovered words marked; p or t on hover.

    >>> from gnomon.importance import NGram, irt, words
    >>> law = NGram(least=1).fit(["a fine film .", "a bad film .", "the film is bad ."])
    >>> texts = ["a fine film ."]
    >>> found = irt(lambda batch: [float("fine" in one) for one in batch], texts, law, words, draws=9, q=0.5)
    >>> TextDisplay(found, texts)._repr_html_()[:5]
    '<p>a '
    """

    def _repr_html_(self) -> str:
        return "\n".join(self._text(number) for number in range(len(self.inputs)))

    def _text(self, number: int) -> str:
        text, parts, last = str(self.inputs[number]), [], 0
        marks = []
        for row in self._of(number):
            group = self._family()[row].group
            if self.explained.selected[row] and isinstance(group, Spans):
                marks += [(start, end, hypothesis_label(self.explained, row)) for start, end in group.at]
        for start, end, label in sorted(marks):
            if start >= last:
                parts += [escape(text[last:start]), f'<mark title="{escape(label)}">{escape(text[start:end])}</mark>']
                last = end
        return f"<p>{''.join(parts)}{escape(text[last:])}</p>"


class ImageDisplay(_Display):
    """Images with the edges of discovered regions drawn; p or t on hover."""

    def _repr_html_(self) -> str:
        from gnomon.report._picture import picture_view

        drawn = []
        for number, image in enumerate(self.inputs):
            rows = self._of(number)
            view = picture_view(
                picture(f"image {number}", image, [self._family()[k] for k in rows], rows, self.explained)
            )
            paths = "".join(f'<path d="{one.path}" fill="{one.colour}"/>' for one in view.rects)
            for one in view.regions:
                edge = ' stroke="#ffd400" stroke-width=".35"' if one.selected else ' stroke="#999" stroke-width=".08"'
                paths += f'<g><title>{escape(one.label)}</title><path d="{one.area}" fill="transparent"/>'
                paths += f'<path d="{one.edge}" fill="none"{edge}/></g>'
            size = f'viewBox="0 0 {view.width} {view.height}" width="{8 * view.width}"'
            drawn.append(f'<svg xmlns="http://www.w3.org/2000/svg" {size} shape-rendering="crispEdges">{paths}</svg>')
        return "\n".join(drawn)


class TableDisplay(_Display):
    """One row a hypothesis that was discovered: input, group, p or t, how far the output moved."""

    def _repr_html_(self) -> str:
        lines = ["<table><tr><th>input</th><th>group</th><th>found</th></tr>"]
        for row in np.flatnonzero(self.explained.selected):
            one = self._family()[int(row)]
            cells = (str(one.input), one.group.name, hypothesis_label(self.explained, int(row)))
            lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
        return "\n".join([*lines, "</table>"])
