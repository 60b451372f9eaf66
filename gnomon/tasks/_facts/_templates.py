"""How facts are worded, and which rows each wording takes.

Belongs here: the list of templates, family by family. Does not belong here: computed rows (`_computed.py`), the choice
of false values (`_draw.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from gnomon.tasks._facts._computed import (
    ORDINALS,
    angle_sums,
    arithmetic,
    conversions,
    diagonals,
    month_lengths,
    neighbours,
    places,
    roman_numerals,
    shifts,
)
from gnomon.tasks._facts._draw import Row
from gnomon.tasks._facts._tables import read, slug

__all__ = ["Template", "templates"]


@dataclass(frozen=True)
class Template:
    """One wording and its rows. False values never cross from one template to another.

    Attributes
    ----------
    family : str
    statement : str
        One sentence in which `{value}` is the only part that differs between the true and the false twin.
    question : str
        Asks for the value.
    rows : tuple of Row
    size : int
        How many neighbouring rows make a block; 0 leaves the blocks to the rows' `near` labels.
    """

    family: str
    statement: str
    question: str
    rows: tuple[Row, ...]
    size: int = 0


def _looked_up(table: str, subject: str, value: str, *, kind: str = "", near: str = "near") -> tuple[Row, ...]:
    """Rows of a table whose `subject` column names the fact and whose `value` column holds what is true of it."""
    return tuple(
        Row(
            key=slug(row[subject]) if not kind else f"{kind}-{slug(row[subject])}",
            value=row[value],
            fields={subject: row[subject]},
            near=row.get(near, ""),
            order=float(row[value]) if row[value].isdecimal() else 0.0,
            avoid=tuple(filter(None, row.get("avoid", "").split(";"))),
        )
        for row in read(table)
    )


def _initial(symbol: str) -> str:
    """The block of a chemical symbol: symbols with one initial, or a few rare initials together.

    A false symbol then begins as the right one does, so that the first letters of name and symbol do not give it away.
    """
    rare = {letter: group for group in ("DE", "GH", "IK", "NO", "UVWXYZ") for letter in group}
    return rare.get(symbol[0], symbol[0])


def _geography() -> list[Template]:
    return [
        Template(
            "capitals",
            "The capital of {country} is {value}.",
            "What is the capital of {country}?",
            _looked_up("capitals.tsv", "country", "capital", near="region"),
        ),
        Template(
            "continents",
            "{country} is in {value}.",
            "Which part of the world is {country} in?",
            _looked_up("continents.tsv", "country", "continent"),
        ),
        Template(
            "languages",
            "The most widely spoken language in {country} is {value}.",
            "What is the most widely spoken language in {country}?",
            _looked_up("languages.tsv", "country", "language"),
        ),
    ]


def _nature() -> list[Template]:
    symbols = _looked_up("elements.tsv", "name", "symbol", kind="symbol")
    numbers = _looked_up("elements.tsv", "name", "number", kind="number")
    ordinals = {row["planet"]: ORDINALS[int(row["place"])] for row in read("planets.tsv")}
    order = list(ordinals)
    return [
        Template(
            "elements",
            "The chemical symbol for {name} is {value}.",
            "What is the chemical symbol for {name}?",
            tuple(replace(row, near=_initial(row.value)) for row in symbols),
        ),
        # The first five periods: few people, and few models, know a heavier element's number by heart.
        Template(
            "elements",
            "The atomic number of {name} is {value}.",
            "What is the atomic number of {name}?",
            tuple(row for row in numbers if row.order <= 54),
            size=6,
        ),
        Template(
            "animals",
            "{animals} are {value}.",
            "Which group of animals do {animals} belong to?",
            _looked_up("animals.tsv", "animals", "class"),
        ),
        Template(
            "planets",
            "The {ordinal} planet from the Sun is {value}.",
            "Which planet is the {ordinal} from the Sun?",
            tuple(Row(f"place-{ordinal}", planet, {"ordinal": ordinal}) for planet, ordinal in ordinals.items()),
        ),
        Template(
            "planets",
            "The planet that follows {planet} in order from the Sun is {value}.",
            "Which planet follows {planet} in order from the Sun?",
            tuple(
                Row(f"after-{slug(planet)}", following, {"planet": planet}, avoid=(planet,))
                for planet, following in pairwise(order)
            ),
        ),
        Template(
            "planets",
            "{moon} is a moon of {value}.",
            "Which planet is {moon} a moon of?",
            _looked_up("moons.tsv", "moon", "planet", kind="moon"),
        ),
    ]


def _language() -> list[Template]:
    return [
        Template(
            "authors",
            "{book} was written by {value}.",
            "Who wrote {book}?",
            _looked_up("authors.tsv", "book", "author"),
        ),
        Template(
            "words",
            "The opposite of {word} is {value}.",
            "What is the opposite of {word}?",
            _looked_up("opposites.tsv", "word", "opposite", kind="opposite"),
        ),
        Template(
            "words",
            "The plural of {word} is {value}.",
            "What is the plural of {word}?",
            _looked_up("plurals.tsv", "word", "plural", kind="plural"),
        ),
        Template(
            "words",
            "The past tense of {verb} is {value}.",
            "What is the past tense of {verb}?",
            _looked_up("past_tense.tsv", "verb", "past", kind="past"),
        ),
        Template(
            "words",
            "The word for a young {animal} is {value}.",
            "What is the word for a young {animal}?",
            _looked_up("young.tsv", "animal", "young", kind="young"),
        ),
        *(
            Template(
                "alphabet",
                f"The letter {direction} {{name}} in the alphabet is {{value}}.",
                f"Which letter comes {direction} {{name}} in the alphabet?",
                tuple(neighbours("letter", direction)),
                size=6,
            )
            for direction in ("after", "before")
        ),
        Template(
            "alphabet",
            "The {ordinal} letter of the alphabet is {value}.",
            "What is the {ordinal} letter of the alphabet?",
            tuple(places("letter")),
            size=6,
        ),
    ]


def _calendar() -> list[Template]:
    nexts = [
        Template(
            "calendar",
            f"The {unit} {direction} {{name}} is {{value}}.",
            f"Which {unit} comes {direction} {{name}}?",
            tuple(neighbours(unit, direction)),
        )
        for unit in ("day", "month")
        for direction in ("after", "before")
    ]
    later = [
        Template(
            "calendar",
            f"{{count}} {unit}s after {{name}} comes {{value}}.",
            f"Which {unit} comes {{count}} {unit}s after {{name}}?",
            tuple(shifts(unit, counts)),
        )
        for unit, counts in (("day", (2, 3, 4, 5)), ("month", (2, 3, 4)))
    ]
    return [
        *nexts,
        *later,
        Template(
            "calendar",
            "The {ordinal} month of the year is {value}.",
            "What is the {ordinal} month of the year?",
            tuple(places("month")),
        ),
        Template(
            "calendar",
            "The month of {month} has {value} days.",
            "How many days does the month of {month} have?",
            tuple(month_lengths()),
        ),
    ]


def _geometry() -> list[Template]:
    solids = [
        Template(
            "geometry",
            f"{{solid}} has {{value}} {part}.",
            f"How many {part} does {{solid}} have?",
            _looked_up("solids.tsv", "solid", part, kind=part),
            size=4,
        )
        for part in ("faces", "edges", "vertices")
    ]
    return [
        Template(
            "geometry",
            "{polygon} has {value} sides.",
            "How many sides does {polygon} have?",
            _looked_up("polygons.tsv", "polygon", "sides", kind="sides"),
            size=4,
        ),
        Template(
            "geometry",
            "The interior angles of {polygon} add up to {value} degrees.",
            "How many degrees do the interior angles of {polygon} add up to?",
            tuple(angle_sums()),
            size=4,
        ),
        Template(
            "geometry",
            "{polygon} has {value} diagonals.",
            "How many diagonals does {polygon} have?",
            tuple(diagonals()),
            size=4,
        ),
        *solids,
    ]


def _numbers() -> list[Template]:
    return [
        *(
            Template(
                "arithmetic",
                "{a} {operation} {b} is {value}.",
                "What is {a} {operation} {b}?",
                tuple(arithmetic(operation)),
                size=5,
            )
            for operation in ("plus", "minus", "times", "divided by")
        ),
        *(
            Template(
                "units",
                "There are {value} {parts} in {whole}.",
                "How many {parts} are there in {whole}?",
                tuple(conversions(system)),
                size=size,
            )
            for system, size in (("decimal", 0), ("other", 5))
        ),
        Template(
            "roman",
            "The Roman numeral {numeral} stands for {value}.",
            "Which number does the Roman numeral {numeral} stand for?",
            tuple(roman_numerals()),
            size=5,
        ),
    ]


@cache
def templates() -> tuple[Template, ...]:
    """Every template, theme by theme.

    >>> templates()[0].family
    'capitals'
    """
    return (*_geography(), *_nature(), *_language(), *_calendar(), *_geometry(), *_numbers())
