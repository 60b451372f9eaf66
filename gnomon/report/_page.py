"""The page: runs in, one HTML file out that needs no network and lets no text in it act.

Belongs here: assembling templates, styles and scripts, and the content security policy over them. Does not belong here:
what is said about a block (`_view.py`), what is drawn (`_figures.py`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from gnomon.blocks import Block, Samples
from gnomon.files import write_atomically
from gnomon.report._figures import chart_runtime, page_spec
from gnomon.report._json import script_json
from gnomon.report._samples import text_limit
from gnomon.report._text import cut, visible
from gnomon.report._view import Assets, RunView, run_view

__all__ = ["ReportRun", "figure_page", "render", "write"]


@dataclass(frozen=True)
class ReportRun:
    """One run, as the report sees it.

    Parameters
    ----------
    id : str
        The run's name on disk.
    title : str
        For example "mmlu · smollm2".
    status : str
        "complete", or what the run is instead; anything else is shown as a banner.
    facts : mapping of str to str
        Shown as a list: model, protocol, version, data checksum, seed, ...
    blocks : sequence of Block
        The results, in the order of the page.
    reproduce : str
        The exact command.

    Examples
    --------
    >>> ReportRun(id="r1", title="mmlu · smollm2", status="complete", reproduce="gnomon eval mmlu -m smollm2").status
    'complete'
    """

    id: str
    title: str
    status: str
    facts: Mapping[str, str] = field(default_factory=dict)
    blocks: Sequence[Block] = ()
    reproduce: str = ""


def render(runs: Sequence[ReportRun], *, title: str | None = None) -> str:
    """Write the whole page.

    All text in the runs is taken to be hostile: it is escaped, its invisible characters are named, and a policy without
    `unsafe-inline`, `unsafe-eval` or any address stands over the page.

    Parameters
    ----------
    runs : sequence of ReportRun
        One section each; an overview comes first where there are several.
    title : str, optional
        By default the title of the only run, or the number of runs.

    Returns
    -------
    str
        HTML; equal runs give equal pages.

    Examples
    --------
    >>> page = render([ReportRun(id="r1", title="mmlu · <model>", status="complete")])
    >>> "<h1 dir=\\"auto\\">mmlu · &lt;model&gt;</h1>" in page
    True
    """
    limit = text_limit(block for run in runs for block in run.blocks if isinstance(block, Samples))
    assets = Assets(limit)
    views = [_view(f"run-{number}", run, assets) for number, run in enumerate(runs, 1)]
    if title is None:
        title = views[0].title if len(views) == 1 else f"{len(views):,} runs"
    runtime = [chart_runtime(_static("charts.js"))] if assets.charts else []
    marked = [_static("marked.js")] if assets.marked else []
    return _assembled(
        "page.html",
        [*runtime, _static("samples.js"), *marked, _static("page.js")],
        title=title,
        runs=views,
        overview=_overview(views),
        charts=script_json(assets.charts) if assets.charts else "",
        samples={id: script_json(data) for id, data in assets.samples.items()},
    )


def figure_page(block: Block) -> str:
    """Write a page that holds one figure, under the same policy as a report.

    Raises
    ------
    UsageError
        If the block has no figure.
    """
    charts = script_json({"figure": page_spec(block)})
    title = cut(getattr(block, "title", ""), 200)
    return _assembled("figure.html", [chart_runtime(_static("charts.js"))], title=title, charts=charts)


def write(runs: Sequence[ReportRun], path: Path, *, title: str | None = None) -> Path:
    """Render the page and put it at `path` in one step; missing folders are made.

    Parameters
    ----------
    runs, title
        As for `render`.
    path : Path
        The HTML file. An older one is replaced only when the new one is whole.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    RunError
        If the disk is full or the folder cannot be written.
    """
    write_atomically(Path(path), render(runs, title=title))
    return Path(path)


def _view(anchor: str, run: ReportRun, assets: Assets) -> RunView:
    return run_view(anchor, run.id, run.title, run.status, run.facts, run.blocks, run.reproduce, assets)


def _overview(views: Sequence[RunView]) -> list[str]:
    """Names of the headline estimates that the table over several runs shows, in order of first appearance."""
    names = dict.fromkeys(card.name for view in views for card in view.cards)
    return list(names)[:6]


def _assembled(template: str, scripts: Sequence[str], **context: Any) -> str:
    """Fill a template, with the page's style, the scripts and the policy that allows these and nothing else."""
    style = _static("page.css")
    return (
        _environment()
        .get_template(template)
        .render(
            policy=_policy(scripts, style),
            style=Markup(style),
            scripts=[Markup(script) for script in scripts],
            **context,
        )
    )


def _policy(scripts: Sequence[str], style: str) -> str:
    """Nothing but the page's own scripts and style, each by its digest."""
    allowed = " ".join(_digest(script) for script in scripts)
    return f"default-src 'none'; script-src {allowed}; style-src {_digest(style)}; base-uri 'none'; form-action 'none'"


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _shown(value: Any) -> Any:
    """Every value that a template prints passes here, so none reaches the page with an invisible character in it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _static(name: str) -> str:
    source, _, _ = _loader().get_source(jinja2.Environment(), name)
    return source


@cache
def _loader() -> jinja2.PackageLoader:
    return jinja2.PackageLoader("gnomon.report", "templates")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=_loader(),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
