"""Contracts with questions and answer spans: CUAD's SQuAD 2 files, and the same made anew from its table of clauses.

Belongs here: reading CUADv1.json, test.json or master_clauses.csv into one structure, with every offset checked.
Does not belong here: prompts and splits (the task's file), judging (`grading/spans.py`).

All positions count characters (code points) of the context, from 0, the end excluded.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gnomon.errors import DataError
from gnomon.tasks._cuad_categories import CATEGORIES, FROM_ID

__all__ = ["Contract", "Question", "Span", "read_squad", "rebuild_squad"]

T = TypeVar("T")

TEMPLATE = (
    'Highlight the parts (if any) of this contract related to "{category}" that should be reviewed by a lawyer. '
    "Details: {description}"
)
"""The release's question; its category is written as in ids."""

OMITTED = "<omitted>"
"""Stands in the table where a clause goes on after a gap: what is before and what is after are spans of their own."""

_AGAIN = "Get the file again, or mend this record."


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a context: `context[start:end] == text`, never empty."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One category asked of one contract. `category` is one of `CATEGORIES`; `question` is the release's text."""

    id: str
    question: str
    category: str
    answers: tuple[Span, ...]

    @property
    def is_impossible(self) -> bool:
        """Whether the contract holds no span for the category."""
        return not self.answers


@dataclass(frozen=True, slots=True)
class Contract:
    """A whole contract with its questions; the questions share the one `context` by being in here."""

    title: str
    context: str
    questions: tuple[Question, ...]


def read_squad(path: str | Path) -> list[Contract]:
    """Read a file in SQuAD 2's layout, such as CUADv1.json or test.json, and check all of it.

    Parameters
    ----------
    path : str or Path
        JSON in UTF-8: {"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers":
        [{"text", "answer_start"}], "is_impossible"}]}]}]}; other keys are ignored.

    Returns
    -------
    list of Contract
        In the file's order.

    Raises
    ------
    DataError
        If the file cannot be read or is no JSON (the line is named), a key is missing or of another type, a
        contract has not exactly one paragraph (offsets count within a paragraph, so joining several would move
        them), an id occurs twice or ends in no known category, a span does not stand at its offset, or
        `is_impossible` contradicts the answers. The message names file, contract and question.

    Notes
    -----
    train_separate_questions.json is refused: it repeats a question once for each span, so that no question there
    has all its golds. Take the training contracts from CUADv1.json: those that are not in test.json.

    Examples
    --------
    >>> import tempfile
    >>> answers = [{"text": "Supply Agreement", "answer_start": 5}]
    >>> qa = {"id": "acme__Document Name", "question": "Which?", "answers": answers, "is_impossible": False}
    >>> data = {"data": [{"title": "acme", "paragraphs": [{"context": "This Supply Agreement", "qas": [qa]}]}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "test.json").write_text(json.dumps(data))
    ...     contract, = read_squad(Path(folder) / "test.json")
    >>> contract.questions[0].category, contract.questions[0].answers
    ('Document Name', (Span(start=5, end=21, text='Supply Agreement'),))
    """
    path = Path(path)
    root = _json(path)
    if not isinstance(root, dict):
        raise DataError(f"{path}: the outermost value is {_kind(root)}, not an object.", hint=_LAYOUT)
    records = _take(root, "data", list, f"{path}")
    reader = _Reader()
    contracts = []
    for index in range(len(records)):
        contracts.append(reader.contract(records[index], f"{path}, contract {index}"))
        records[index] = None  # the parsed JSON is given back as we go
    return contracts


_LAYOUT = "Expected SQuAD 2's layout, as in CUAD's CUADv1.json or test.json."


class _Reader:
    """What has been seen of one file: ids, and question texts, of which there are only 41, kept once each."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.texts: dict[str, str] = {}

    def contract(self, record: Any, where: str) -> Contract:
        title = _take(record, "title", str, where)
        where = f"{where} ({title!r})"
        paragraphs = _take(record, "paragraphs", list, where)
        if len(paragraphs) != 1:
            raise DataError(
                f"{where} has {len(paragraphs)} paragraphs, not one.",
                hint="CUAD holds a whole contract in one paragraph, for offsets count within a paragraph; join the "
                "texts, and add the length of what stands before to every answer_start.",
            )
        context = _take(paragraphs[0], "context", str, where)
        qas = _take(paragraphs[0], "qas", list, where)
        return Contract(title, context, tuple(self.question(qa, n, context, where) for n, qa in enumerate(qas)))

    def question(self, qa: Any, index: int, context: str, where: str) -> Question:
        key = _take(qa, "id", str, f"{where}, question {index}")
        place, where = where, f"{where}, question {key!r}"
        if key in self.ids:
            hint = "Give every question an id of its own."
            raise DataError(f"{where}: this id occurs already in {self.ids[key]}.", hint=hint)
        self.ids[key] = place
        text = _take(qa, "question", str, where)
        answers = tuple(_span(answer, context, where) for answer in _take(qa, "answers", list, where))
        impossible = _take(qa, "is_impossible", bool, where)
        if impossible != (not answers):
            raise DataError(f"{where}: is_impossible is {impossible} with {len(answers)} answers.", hint=_AGAIN)
        return Question(key, self.texts.setdefault(text, text), _category(key, where), answers)


def _span(answer: Any, context: str, where: str) -> Span:
    text, start = _take(answer, "text", str, where), _take(answer, "answer_start", int, where)
    if not text:
        raise DataError(f"{where}: an answer at {start} has an empty text.", hint="No answer is an empty list.")
    if start < 0 or not context.startswith(text, start):
        at = context.find(text)
        found = f"That text stands at {at} first." if at >= 0 else "The context does not hold that text anywhere."
        hint = "Offsets count characters, not bytes, in the context with its line ends as they are."
        raise DataError(
            f"{where}: at answer_start {start} the context of {len(context)} characters holds "
            f"{_short(context[max(start, 0) : max(start, 0) + len(text)])}, not {_short(text)}. {found}",
            hint=hint,
        )
    return Span(start, start + len(text), text)


def _category(key: str, where: str) -> str:
    _, separator, end = key.rpartition("__")
    if separator and end in FROM_ID:
        return FROM_ID[end]
    hint = "Ids end in __ and one of the 41 categories, such as __Ip Ownership Assignment ."
    if end.rpartition("_")[0] in FROM_ID:
        hint = "This looks like train_separate_questions.json, which splits questions; read CUADv1.json instead."
    raise DataError(f"{where}: {end!r} is none of CUAD's categories.", hint=hint)


def _take(record: Any, key: str, kind: type[T], where: str) -> T:
    """`record[key]`, of exactly that type (True is no int)."""
    if not isinstance(record, dict):
        raise DataError(f"{where}: {_kind(record)} stands where an object with {key!r} should.", hint=_LAYOUT)
    if key not in record:
        raise DataError(f"{where} lacks {key!r}; it has {', '.join(map(repr, record)) or 'nothing'}.", hint=_LAYOUT)
    value = record[key]
    if type(value) is not kind:
        raise DataError(f"{where}: {key!r} is {_kind(value)}, not {kind.__name__}.", hint=_LAYOUT)
    return value


def _kind(value: Any) -> str:
    return f"{type(value).__name__} {_short(repr(value))}"


def _short(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else f"{text[:limit]}...")


def _json(path: Path) -> Any:
    text = _utf8(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: no valid JSON ({error.msg}).",
            hint="The file may be cut short; get it again.",
        ) from error
    except RecursionError as error:
        raise DataError(f"{path}: values are nested too deeply for SQuAD's layout.", hint=_LAYOUT) from error


def _utf8(path: Path) -> str:
    """The file's text, without a byte order mark, its line ends as they are."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8.", hint="Get the file again.") from error
    except OSError as error:
        hint = "Give a file of CUAD's release that you may read."
        raise DataError(f"{path} cannot be read: {error.strerror}.", hint=hint) from error


# The table of clauses.


def rebuild_squad(folder: str | Path) -> list[Contract]:
    """Make the contracts of CUADv1.json from the release's table of clauses and the contracts' texts.

    Parameters
    ----------
    folder : str or Path
        Holds master_clauses.csv, category_descriptions.csv and the texts, `*.txt`, in full_contract_txt/, in txt/ or in
        `folder` itself.

    Returns
    -------
    list of Contract
        In the order of the table, questions in the order of category_descriptions.csv, titles from the texts'
        names. The released JSON differs in the order of some answers, in the spelling of a few titles, and in the
        offset where a clause's text occurs more than once: here it is the first place.

    Raises
    ------
    DataError
        If a file or column is missing, a row fits no text or several, a cell is no list of texts, or a clause is not in
        its contract. The message names file and record.

    Notes
    -----
    A clause with `<omitted>` is several spans; a span that a cell repeats counts once. Names are compared by their
    letters and digits alone, without case and accents, for the table and the folder spell some differently.
    """
    folder = Path(folder)
    descriptions = _descriptions(folder / "category_descriptions.csv")
    texts = _texts(folder)
    table = folder / "master_clauses.csv"
    records = _records(table)
    header = next(records, (0, []))[1]
    missing = [name.title() for name in CATEGORIES if name.title() not in header]
    if header[:1] != ["Filename"] or missing:
        raise DataError(f"{table}: the header lacks {', '.join(missing) or 'Filename'}.", hint="Get the file again.")
    columns = {name: header.index(name.title()) for name in descriptions}
    contracts: list[Contract] = []
    taken: dict[Path, str] = {}
    for number, row in records:
        where = f"{table}, record {number}"
        if len(row) != len(header):
            raise DataError(f"{where}: {len(row)} cells where the header has {len(header)}.", hint=_AGAIN)
        where = f"{where} ({row[0]!r})"
        path = _text_of(row[0], texts, where)
        if path in taken:
            raise DataError(f"{where}: {path.name} belongs already to {taken[path]}.", hint="Remove one of them.")
        taken[path] = where
        cells = {name: row[column] for name, column in columns.items()}
        contracts.append(_rebuilt(path, cells, descriptions, where))
    return contracts


def _rebuilt(path: Path, cells: dict[str, str], descriptions: dict[str, str], where: str) -> Contract:
    context = _utf8(path).replace("\r\n", "\n")
    questions = []
    for name, description in descriptions.items():
        spans = []
        for text in _pieces(cells[name], f"{where}, {name}"):
            start = context.find(text)
            if start < 0:
                raise DataError(
                    f"{where}, {name}: {path.name} does not hold {_short(text)}.",
                    hint="Table and texts must come from the same release of CUAD.",
                )
            spans.append(Span(start, start + len(text), text))
        asked = TEMPLATE.format(category=name.title(), description=description)
        questions.append(Question(f"{path.stem}__{name.title()}", asked, name, tuple(spans)))
    return Contract(path.stem, context, tuple(questions))


def _pieces(cell: str, where: str) -> list[str]:
    """The distinct spans of a cell such as "['one<omitted>two', 'three']", in their order."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # a backslash that escapes nothing is text, and none of the reader's business
            clauses = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise DataError(f"{where}: {_short(cell)} is no list of texts ({error}).", hint=_AGAIN) from error
    if not isinstance(clauses, list) or not all(isinstance(clause, str) for clause in clauses):
        raise DataError(f"{where}: {_short(cell)} is no list of texts.", hint="A missing clause is [] .")
    pieces = (piece for clause in clauses for piece in clause.split(OMITTED))
    return list(dict.fromkeys(piece for piece in pieces if piece.strip()))


def _descriptions(path: Path) -> dict[str, str]:
    """Category to description, both as they stand after their labels, double and trailing spaces included."""
    found = {}
    for number, row in _records(path):
        if number == 0:
            continue
        if len(row) < 2 or not row[0].startswith("Category: ") or not row[1].startswith("Description: "):
            hint = "Its cells start with 'Category: ' and 'Description: '."
            raise DataError(f"{path}, record {number}: {_short(repr(row))}.", hint=hint)
        found[row[0].removeprefix("Category: ")] = row[1].removeprefix("Description: ")
    if tuple(found) != CATEGORIES:
        odd = sorted(set(found) ^ set(CATEGORIES))
        what = f"differ from CUAD's 41 in {', '.join(odd)}" if odd else "stand in another order than the release's"
        raise DataError(f"{path}: the {len(found)} categories {what}.", hint="Get the file again.")
    return found


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Records of a CSV file with their number; the header is record 0."""
    number = -1
    try:
        for number, row in enumerate(csv.reader(io.StringIO(_utf8(path), newline=""), strict=True)):
            yield number, row
    except csv.Error as error:
        raise DataError(f"{path}, record {number + 1}: {error}.", hint="Get the file again.") from error


def _texts(folder: Path) -> dict[str, list[Path]]:
    """The texts by the letters and digits of their names."""
    for place in (folder / "full_contract_txt", folder / "txt", folder):
        found: dict[str, list[Path]] = {}
        for path in sorted(place.glob("*.txt")):
            found.setdefault(_letters(path.stem), []).append(path)
        if found:
            return found
    raise DataError(
        f"{folder} holds no contract texts.", hint="Put CUAD's 510 *.txt into its folder full_contract_txt/ ."
    )


def _text_of(name: str, texts: dict[str, list[Path]], where: str) -> Path:
    """The one text whose name is `name` without its .pdf."""
    found = texts.get(_letters(name).removesuffix("pdf"), [])
    if len(found) == 1:
        return found[0]
    listing = ", ".join(path.name for path in found) or "no text"
    raise DataError(f"{where} fits {listing}.", hint="Each row needs one .txt of the same name.")


def _letters(name: str) -> str:
    """Letters and digits without case and accents: composed and decomposed spellings come out alike.

    >>> _letters("LECLANCHE\\u0301 & Co.") == _letters("leclanch\\u00e9 _ Co")
    True
    """
    return "".join(letter for letter in unicodedata.normalize("NFKD", name).casefold() if letter.isalnum())
