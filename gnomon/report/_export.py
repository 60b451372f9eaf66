"""Figures as files: SVG, PNG and PDF for a paper, HTML to open with the network off, JSON to draw again elsewhere.

Belongs here: from a block to the bytes of a file. Does not belong here: what the figure looks like (`_figures.py`).
"""

from __future__ import annotations

import json
from pathlib import Path

from gnomon.blocks import Block
from gnomon.errors import UsageError
from gnomon.files import write_atomically
from gnomon.report._figures import figure, vegalite_version
from gnomon.report._page import figure_page

__all__ = ["save_figure"]

SUFFIXES = (".html", ".json", ".pdf", ".png", ".svg")


def save_figure(block: Block, path: Path) -> Path:
    """Save the figure of a block, in the format that the suffix of `path` names.

    Parameters
    ----------
    block : Table, Curve, Scatter or Matrix
        As for `figure`.
    path : Path
        Ends in .svg, .png (twice the size, 144 dpi), .pdf, .html (opens offline) or .json (the specification).

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UsageError
        If the suffix is none of these, or the block has no figure.
    RunError
        If the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"a figure cannot be saved as {path.name!r}: {suffix or 'no suffix'} is not a format that gnomon writes.",
            hint=f"Allowed: {', '.join(SUFFIXES)}.",
        )
    write_atomically(path, _exported(block, suffix))
    return path


def _exported(block: Block, suffix: str) -> bytes:
    import vl_convert

    spec = figure(block).to_dict()
    version = vegalite_version()
    if suffix == ".svg":
        return vl_convert.vegalite_to_svg(spec, vl_version=version).encode()
    if suffix == ".png":
        return vl_convert.vegalite_to_png(spec, vl_version=version, scale=2, ppi=72)
    if suffix == ".pdf":
        return vl_convert.vegalite_to_pdf(spec, vl_version=version)
    if suffix == ".html":
        return figure_page(block).encode()
    return (json.dumps(spec, indent=1, ensure_ascii=False) + "\n").encode()
