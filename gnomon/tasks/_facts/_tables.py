"""Reading the tables that ship with the package.

Belongs here: the tables' file layout. Does not belong here: what their columns mean (`_templates.py`).
"""

from __future__ import annotations

import re
import unicodedata
from importlib.resources import files

from gnomon.errors import DataError

__all__ = ["read", "slug"]


def read(name: str) -> list[dict[str, str]]:
    """Rows of one `.tsv` file beside this module: UTF-8, tab separated, with a header line.

    Raises
    ------
    DataError
        If the file is not installed, or a row has not as many cells as the header.

    Examples
    --------
    >>> read("elements.tsv")[0]
    {'number': '1', 'name': 'hydrogen', 'symbol': 'H'}
    """
    try:
        lines = files("gnomon.tasks._facts").joinpath(name).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise DataError(
            f"the table {name!r} of the task 'facts' is not installed.", hint="Reinstall gnomon from a complete wheel."
        ) from error
    header, *body = (line.split("\t") for line in lines)
    for number, cells in enumerate(body, start=2):
        if len(cells) != len(header):
            raise DataError(
                f"{name}, line {number}: {len(cells)} cells for the {len(header)} columns {', '.join(header)}.",
                hint="Separate cells with one tab each.",
            )
    return [dict(zip(header, cells, strict=True)) for cells in body]


def slug(text: str) -> str:
    """Text as part of an id: lower-case ASCII words joined by hyphens, without a leading article.

    >>> slug("the Central African Republic"), slug("Les Misérables"), slug("O'Neill")
    ('central-african-republic', 'les-miserables', 'oneill')
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"^(the|an|a) ", "", ascii_text)).strip("-")
