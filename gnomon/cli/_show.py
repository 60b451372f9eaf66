"""Blocks on a terminal.

Belongs here: tables and sentences for people. Does not belong here: the numbers, or the HTML report.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from gnomon.blocks import Block, Comparison, Estimate, Note, Selection, Table
from gnomon.report import format_cell

__all__ = ["console", "show"]


def console() -> Console:
    """Standard output; wide enough for tables where it is no terminal. NO_COLOR is honoured by rich."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=120)


def show(blocks: Sequence[Block], out: Console) -> None:
    """Estimates as one table, then headline tables, comparisons, selections and notes, in this order."""
    estimates = [block for block in blocks if isinstance(block, Estimate)]
    if estimates:
        out.print(_estimates(estimates))
    for block in blocks:
        if isinstance(block, Comparison):
            _comparison(block, out)
        elif isinstance(block, Selection):
            _selection(block, out)
        elif isinstance(block, Table) and (block.headline or not estimates):
            out.print(_table(block))
            if block.caption:
                out.print(f"  [dim]{escape(block.caption)}[/dim]")
    for block in blocks:
        if isinstance(block, Note):
            mark = {"info": "note", "deviation": "deviation", "warning": "[bold]warning[/bold]"}[block.level]
            out.print(f"{mark}: {escape(block.text)}")


def _plain(title: str) -> RichTable:
    return RichTable(
        title=escape(title), title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
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
        value = f"[bold]{one.format()}[/bold]" if one.headline and one.value is not None else escape(one.format())
        table.add_row(escape(one.name), value, interval, f"{one.n:,}", escape(baselines))
    return table


def _table(block: Table) -> RichTable:
    table = _plain(block.title)
    for column in block.columns:
        table.add_column(escape(column.label), justify="left" if column.format == "text" else "right", overflow="fold")
    for row in block.rows:
        table.add_row(
            *(escape(format_cell(cell, column.format)) for cell, column in zip(row, block.columns, strict=True))
        )
    return table


def _comparison(block: Comparison, out: Console) -> None:
    out.print(
        f"[bold]{escape(block.name)}[/bold]: {escape(block.b)} {block.value_b:.3f}, {escape(block.a)} "
        f"{block.value_a:.3f}; "
        f"difference {block.difference:+.3f} ({block.interval.low:+.3f} to {block.interval.high:+.3f}, "
        f"{escape(block.interval.method)}), "
        f"p = {format_cell(block.p_value, 'p-value')} ({escape(block.test)}), n = {block.n:,}."
    )
    if block.detectable is not None:
        out.print(f"  A true difference of {block.detectable:.3f} would have been seen 4 times in 5.")


def _selection(block: Selection, out: Console) -> None:
    chosen = sorted((one for one in block.hypotheses if one.selected), key=lambda one: one.p_value)
    out.print(
        f"[bold]{escape(block.title)}[/bold]: {len(chosen)} of {len(block.hypotheses)} at q = {block.q:g} "
        f"({escape(block.method)})."
    )
    for one in chosen:
        out.print(f"  {escape(one.name)}  {one.effect:+.3f}  p = {format_cell(one.p_value, 'p-value')}  n = {one.n:,}")
