"""Blocks on a terminal.

Belongs here: tables and sentences for people. Does not belong here: the numbers, or the HTML report.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table as RichTable

from gnomon.blocks import Block, Comparison, Estimate, Marked, Matrix, Note, Selection, Table, Verdict
from gnomon.report import format_cell, visible

__all__ = ["console", "show"]

_GAP = 2


def console() -> Console:
    """Standard output; wide enough for tables where it is no terminal. NO_COLOR is honoured by rich."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=120)


def show(blocks: Sequence[Block], out: Console) -> None:
    """Estimates as one table; headline tables, matrices and verdicts, comparisons, selections, texts; then notes.

    Text is made visible first: what a data set wrote must not drive the terminal.
    """
    estimates = [block for block in blocks if isinstance(block, Estimate)]
    if estimates:
        out.print(_estimates(estimates))
    for block in blocks:
        if isinstance(block, Comparison):
            _comparison(block, out)
        elif isinstance(block, Selection):
            _selection(block, out)
        elif isinstance(block, Verdict) and (block.headline or not estimates):
            _verdict(block, out)
        elif isinstance(block, Table) and (block.headline or not estimates):
            out.print(_table(block, out.width))
            _caption(block.caption, out)
        elif isinstance(block, Matrix) and (block.headline or not estimates):
            for table in _matrix(block, out.width):
                out.print(table)
            _caption(block.caption, out)
        elif isinstance(block, Marked) and not block.legend:
            out.print(_marked(block))
    for block in blocks:
        if isinstance(block, Note):
            mark = {"info": "note", "deviation": "deviation", "warning": "[bold]warning[/bold]"}[block.level]
            out.print(f"{mark}: {_safe(block.text)}")


def _safe(text: str) -> str:
    """Text of others: characters that act are named, and brackets are no markup."""
    return escape(visible(text))


def _caption(text: str, out: Console) -> None:
    if text:
        out.print(f"  [dim]{_safe(text)}[/dim]")


def _plain(title: str, gap: int = _GAP) -> RichTable:
    return RichTable(
        title=_safe(title), title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, gap, 0, 0)
    )


def _estimates(estimates: Sequence[Estimate]) -> RichTable:
    table = _plain("")
    for label, justify in (
        ("", "left"),
        ("value", "right"),
        ("95% interval", "left"),
        ("n", "right"),
        ("baselines", "left"),
    ):
        table.add_column(label, justify=justify)  # type: ignore[arg-type]
    for one in estimates:
        interval = f"{one.interval.low:.3f} to {one.interval.high:.3f}" if one.interval else "–"
        baselines = ", ".join(f"{name} {value:.3f}" for name, value in one.baselines.items())
        value = f"[bold]{one.format()}[/bold]" if one.headline and one.value is not None else _safe(one.format())
        table.add_row(_safe(one.name), value, interval, f"{one.n:,}", _safe(baselines))
    return table


def _table(block: Table, width: int) -> RichTable:
    """Rows; no word is broken while there is room, for half a name may be another's."""
    rows = [
        [_safe(format_cell(cell, column.format)) for cell, column in zip(row, block.columns, strict=True)]
        for row in block.rows
    ]
    labels = [_safe(column.label) for column in block.columns]
    longest = [
        max((len(word) for text in (label, *(row[at] for row in rows)) for word in text.split()), default=0)
        for at, label in enumerate(labels)
    ]
    gap = next((gap for gap in (_GAP, 1) if sum(longest) + gap * len(longest) <= width), 0)
    table = _plain(block.title, gap or _GAP)
    for column, label, least in zip(block.columns, labels, longest, strict=True):
        justify: JustifyMethod = "left" if column.format == "text" else "right"
        table.add_column(label, justify=justify, overflow="fold", min_width=least if gap else None)
    for row in rows:
        table.add_row(*row)
    return table


_ROW_HEAD, _COLUMN_HEAD = 32, 16


def _matrix(block: Matrix, width: int) -> list[RichTable]:
    """Fractions, each with its number of items in brackets; columns that do not fit go into a further table."""
    label = f"{block.row_label} by {block.column_label}"
    cells = [
        [f"{format_cell(value, 'fraction')} ({count:,})" for value, count in zip(values, counts, strict=True)]
        for values, counts in zip(block.values, block.counts, strict=True)
    ]
    widths = [
        _GAP + max([min(_COLUMN_HEAD, len(name)), *(len(row[at]) for row in cells)])
        for at, name in enumerate(block.columns)
    ]
    room = width - min(_ROW_HEAD, max(map(len, [label, *block.rows])))
    tables: list[RichTable] = []
    for some in _fitting(widths, room):
        table = _plain("" if tables else block.title)
        table.add_column(_safe(label), max_width=_ROW_HEAD, overflow="fold")
        for at in some:
            table.add_column(_safe(block.columns[at]), justify="right", max_width=_COLUMN_HEAD, overflow="fold")
        for name, row in zip(block.rows, cells, strict=True):
            table.add_row(_safe(name), *(row[at] for at in some))
        tables.append(table)
    return tables


def _fitting(widths: Sequence[int], room: int) -> list[list[int]]:
    """Column numbers in order, parted so that each part fits in `room`, or is a single column."""
    parts: list[list[int]] = [[]]
    for at, width in enumerate(widths):
        if parts[-1] and sum(widths[other] for other in parts[-1]) + width > room:
            parts.append([])
        parts[-1].append(at)
    return parts


def _marked(block: Marked) -> str:
    kinds = ", ".join(f"{sum(one.kind == kind for one in block.marks):,} {kind}" for kind in ("gold", "found", "both"))
    marks = f"{len(block.marks):,} mark{'' if len(block.marks) == 1 else 's'}"
    return (
        f"[bold]{_safe(block.title)}[/bold]: {marks}{f' ({kinds})' if block.marks else ''}; the text is in the report."
    )


def _comparison(block: Comparison, out: Console) -> None:
    out.print(
        f"[bold]{_safe(block.name)}[/bold]: {_safe(block.b)} {block.value_b:.3f}, {_safe(block.a)} "
        f"{block.value_a:.3f}; "
        f"difference {block.difference:+.3f} ({block.interval.low:+.3f} to {block.interval.high:+.3f}, "
        f"{_safe(block.interval.method)}), "
        f"p = {format_cell(block.p_value, 'p-value')} ({_safe(block.test)}), n = {block.n:,}."
    )
    if block.detectable is not None:
        out.print(f"  A true difference of {block.detectable:.3f} would have been seen 4 times in 5.")


def _selection(block: Selection, out: Console) -> None:
    chosen = sorted((one for one in block.hypotheses if one.selected), key=lambda one: one.p_value)
    out.print(
        f"[bold]{_safe(block.title)}[/bold]: {len(chosen)} of {len(block.hypotheses)} at q = {block.q:g} "
        f"({_safe(block.method)})."
    )
    for one in chosen:
        out.print(f"  {_safe(one.name)}  {one.effect:+.3f}  p = {format_cell(one.p_value, 'p-value')}  n = {one.n:,}")


def _verdict(block: Verdict, out: Console) -> None:
    """One line with the reason; below it what failed, with the bar, and what was required and not measured."""
    word = "identified" if block.identified else "[bold]NOT IDENTIFIED[/bold]"
    out.print(f"[bold]{_safe(block.name)}[/bold]: {word} - {_safe(block.reason)}")
    failed = [
        f"{one.name} ({one.value or 'no value'}; {one.bar})" if one.bar else one.name
        for one in block.conditions
        if one.passed is False
    ]
    missing = [one.name for one in block.conditions if one.passed is None and one.name in block.required]
    for label, names in (("failed", failed), ("required, but not measured", missing)):
        if names:
            out.print(f"  {label}: {_safe(', '.join(names))}")
