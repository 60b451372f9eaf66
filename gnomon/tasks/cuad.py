"""CUAD (Hendrycks et al. 2021): 510 contracts, 41 categories of clause to be highlighted. Belongs here: reading and
asking. Judging is in grading/spans.py."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path

from gnomon.asks import Decoding, Passage, Prompt
from gnomon.grading.quotes import read_quotes
from gnomon.tasks._cuad_categories import CATEGORIES, CONTRACTS
from gnomon.tasks._sources import Folder, MissingFile, Source, SourceFinder
from gnomon.tasks._squad import Contract, read_squad, rebuild_squad
from gnomon.tasks._task import Item, Protocol, Task

_FILES = {"test": ("test.json",), "all": ("CUADv1.json", "CUAD_v1.json", "cuad_v1_rebuilt.json")}
_TABLE = "master_clauses.csv"
_WINDOW, _OVERLAP = 12_000, 1_000  # characters of a contract in one prompt, and how many two neighbours share


def subset_of(category: str) -> str:
    """A category's name as a subset.

    >>> subset_of("Rofr/Rofo/Rofn")
    'rofr-rofo-rofn'
    """
    return re.sub(r"[^a-z0-9]+", "-", category.lower()).strip("-")


def windows(context: str) -> list[tuple[int, int]]:
    """The pieces in which a contract is put into prompts, as (start, end): each shares its end with the next's start.

    >>> windows("x" * 15_000)
    [(0, 12000), (11000, 15000)]
    """
    starts = range(0, max(1, len(context) - _OVERLAP), _WINDOW - _OVERLAP)
    return [(start, min(start + _WINDOW, len(context))) for start in starts]


def _read(source: Source, split: str, subset: str) -> list[Item]:
    assert isinstance(source, Folder)
    return list(_items(_file(source.path, split), split)[subset])


def _file(folder: Path, split: str) -> Path:
    """The split's file; the whole may also be made anew from the table of clauses."""
    found = next((folder / name for name in _FILES[split] if (folder / name).is_file()), None)
    if found is not None:
        return found
    if split == "all" and (folder / _TABLE).is_file():
        return folder / _TABLE
    other = "all" if split == "test" else "test"
    have = next((name for name in _FILES[other] if (folder / name).is_file()), None)
    hint = f"The folder holds {have}: ask for it with  -T split={other} ." if have else "Complete the folder."
    raise MissingFile(f"{folder} has no {' or '.join(_FILES[split])}.", hint=hint)


@functools.lru_cache(maxsize=2)
def _items(path: Path, split: str) -> dict[str, tuple[Item, ...]]:
    """Items by subset. A contract's questions share one context."""
    contracts = rebuild_squad(path.parent) if path.name == _TABLE else read_squad(path)
    found: dict[str, list[Item]] = {subset_of(category): [] for category in CATEGORIES}
    for contract in contracts:
        for item in _of(contract, split):
            found[item.subset].append(item)
    return {subset: tuple(items) for subset, items in found.items()}


def _of(contract: Contract, split: str) -> list[Item]:
    return [
        Item(
            id=question.id,
            subset=subset_of(question.category),
            split=split,
            group=contract.title,
            fields={"title": contract.title, "question": question.question, "contract": contract.context},
            key={"spans": [[span.start, span.end] for span in question.answers], "category": question.category},
        )
        for question in contract.questions
    ]


def _fits(folder: Path) -> bool:
    return any((folder / name).is_file() for names in _FILES.values() for name in names) or (folder / _TABLE).is_file()


def _official(item: Item, shots: Sequence[Item]) -> tuple[Passage, ...]:
    """The release's question about the whole contract; the model reads it in windows."""
    return (Passage(item.fields["question"], item.fields["contract"]),)


def _quote(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    """The question put to a model that writes, once a window of the contract."""
    context = item.fields["contract"]
    parts = windows(context)
    return tuple(
        Prompt(
            f"Part {number} of {len(parts)} of a contract:\n<contract>\n{context[start:end]}\n</contract>\n\n"
            f"{item.fields['question'].strip()}\n\nCopy each such part of the text above word for word, as a JSON "
            "list of strings. Write [] if there is none. Write nothing else.\n",
            Decoding(max_tokens=512),
        )
        for number, (start, end) in enumerate(parts, start=1)
    )


def _has_list(item: Item, text: str) -> str | None:
    return None if read_quotes(text) is None else text


def _ideal_quotes(item: Item) -> tuple[str, ...]:
    """For each window, a list of the spans that lie in it."""
    context = item.fields["contract"]
    return tuple(
        json.dumps([context[s:e] for s, e in item.key["spans"] if start <= s and e <= end])
        for start, end in windows(context)
    )


task = Task(
    title="CUAD",
    source="arXiv:2103.06268",
    licence="CC BY 4.0",
    subsets=tuple(subset_of(category) for category in CATEGORIES),
    splits=("test", "all"),
    default_splits=("test",),
    counts={(split, subset_of(category)): CONTRACTS[split] for split in ("test", "all") for category in CATEGORIES},
    finder=SourceFinder(
        fits=_fits,
        layout="test.json (102 contracts), CUADv1.json (all 510), or master_clauses.csv, category_descriptions.csv and "
        "full_contract_txt/.",
    ),
    read=_read,
    kind="spans",
    together=True,
    protocols={
        "official": Protocol(
            version=1,
            about="The release's questions to an extractive model; spans with probabilities over the whole contract.",
            ability="highlight",
            ask=_official,
            ideal=lambda item: (tuple((start, end) for start, end in item.key["spans"]),),
        ),
        "quote": Protocol(
            version=1,
            about="The release's questions to a model that writes: the spans are asked for as a JSON list of quotes.",
            ability="generate",
            ask=_quote,
            extract=_has_list,
            ideal=_ideal_quotes,
            deviations=(
                "Not the release's protocol: quotes without confidences give one operating point, so precision, recall "
                f"and F1 take the place of AUPR. The contract is asked in windows of {_WINDOW:,} characters.",
            ),
        ),
    },
    examples=(
        Item(
            "example__Governing Law",
            subset_of("Governing Law"),
            "test",
            "example",
            {"title": "example", "question": "Which law governs?", "contract": "The law of Delaware governs."},
            key={"spans": [[0, 28]], "category": "Governing Law"},
        ),
    ),
)
