"""True and false statements (Marks & Tegmark 2023): cities, Spanish words, numbers, companies, claims.

Belongs here: reading, groups and wording. `neg_*` and `smaller_than` say the opposite of the same facts, `*_conj` and
`*_disj` join two of them. Statements about one city, word, pair of numbers or company share a group.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gnomon.errors import DataError
from gnomon.tasks._sources import Folder, Source, SourceFinder, csv_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, worded

ANSWERS = ("false", "true")
_CITY = ("statement", "label", "city", "country", "correct_country")
_PLAIN = ("statement", "label")
_NUMBERS = ("statement", "label", "n1", "n2", "diff", "abs_diff")
_JOINED = (
    "statement",
    "label",
    *(f"{name}{k}" for k in (1, 2) for name in ("statement", "label", "city", "country", "correct_country")),
)
_FACT = ("statement", "label", "relation", "subject", "target", "true_target")
_COMPANY = re.compile(r"^(.*?) (?:engages|operates|has|is|provides|offers|develops|manufactures|sells|was)\b")

Group = Callable[[list[str]], str]
_FILES: dict[str, tuple[tuple[str, ...], int, Group]] = {
    "cities": (_CITY, 1496, lambda row: row[2]),
    "neg_cities": (_CITY, 1496, lambda row: row[2]),
    "sp_en_trans": (_PLAIN, 354, lambda row: row[0].split("'")[1]),
    "neg_sp_en_trans": (_PLAIN, 354, lambda row: row[0].split("'")[1]),
    "larger_than": (_NUMBERS, 1980, lambda row: "-".join(sorted(row[2:4]))),
    "smaller_than": (_NUMBERS, 1980, lambda row: "-".join(sorted(row[2:4]))),
    "companies_true_false": (_PLAIN, 1200, lambda row: _company(row[0])),
    "common_claim_true_false": (_PLAIN, 4450, lambda row: row[0]),
    "counterfact_true_false": (_FACT, 31964, lambda row: row[3]),
    "cities_cities_conj": (_JOINED, 1498, lambda row: row[4]),
    "cities_cities_disj": (_JOINED, 1498, lambda row: row[4]),
}


def _company(statement: str) -> str:
    found = _COMPANY.match(statement)
    return found[1] if found else statement


def _read(source: Source, split: str, subset: str) -> list[Item]:
    assert isinstance(source, Folder)
    header, _, group = _FILES[subset]
    path = source.path / f"{subset}.csv"
    items = []
    for number, row in csv_rows(path, len(header), header):
        if row[1] not in ("0", "1"):
            raise DataError(f"{path}, record {number}: label '{row[1]}' is neither 0 nor 1.")
        name = group_name(group(row))
        items.append(Item(f"{subset}-{number}", subset, split, name, {"statement": row[0]}, ANSWERS, int(row[1])))
    return items


task = Task(
    title="True and false statements",
    source="arXiv:2310.06824",
    licence="not stated by its authors",
    subsets=tuple(_FILES),
    default_subsets=("cities",),
    splits=("test",),
    counts={("test", name): rows for name, (_, rows, _) in _FILES.items()},
    finder=SourceFinder(
        fits=lambda folder: (folder / "cities.csv").is_file(),
        layout="cities.csv, neg_cities.csv, sp_en_trans.csv, ...: statement,label and what it was made from",
        names=("true_false_statements", "geometry_of_truth"),
    ),
    read=_read,
    protocols={
        "plain": worded("{statement}\nTrue or false? Answer:", CHOICES),
        "statement": worded("{statement} This statement is", CHOICES),
        "claim": worded("Is the following claim right?\n{statement}\nAnswer:", ("no", "yes")),
        "checker": worded("Somebody checks each sentence of a book.\nSentence: {statement}\nMark:", ("wrong", "right")),
    },
    rollups={},
    body="statement",
    negations={"cities": "neg_cities", "sp_en_trans": "neg_sp_en_trans", "larger_than": "smaller_than"},
    examples=(
        Item("example", "cities", "test", "example", {"statement": "The city of Paris is in France."}, ANSWERS, 1),
    ),
)
