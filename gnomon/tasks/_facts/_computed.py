"""Rows whose true value is computed: arithmetic, calendar, units, geometry, Roman numerals, the alphabet.

Belongs here: what follows from a rule. Does not belong here: what must be looked up (the `.tsv` tables).
No row here depends on a seed; only the false values do, which `_draw.py` chooses.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_uppercase

from gnomon.tasks._facts._draw import Row, shuffled, stream
from gnomon.tasks._facts._tables import read, slug

__all__ = [
    "ORDINALS",
    "angle_sums",
    "arithmetic",
    "conversions",
    "diagonals",
    "month_lengths",
    "neighbours",
    "places",
    "roman_numerals",
    "shifts",
]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five")
ORDINALS = (
    "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
    "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
    "nineteenth", "twentieth", "twenty-first", "twenty-second", "twenty-third", "twenty-fourth", "twenty-fifth",
    "twenty-sixth",
)  # fmt: skip
CYCLES = {"day": WEEKDAYS, "month": MONTHS, "letter": tuple(ascii_uppercase)}


def _number(key: str, value: int, fields: dict[str, str]) -> Row:
    # Numbers lend their values to numbers of the same length only: length must not tell a wrong one.
    return Row(key=key, value=f"{value:,}", fields=fields, near=f"{len(str(value))} digits", order=value)


# --- arithmetic ---


def _sums() -> Iterable[tuple[int, int, int]]:
    return ((a, b, a + b) for a in range(12, 90) for b in range(12, 90) if a != b)


def _differences() -> Iterable[tuple[int, int, int]]:
    return ((a, b, a - b) for a in range(31, 112) for b in range(12, a - 10) if a != 2 * b)


def _products() -> Iterable[tuple[int, int, int]]:
    return ((a, b, a * b) for a in range(3, 13) for b in range(a, 13) if a * b >= 10)


def _quotients() -> Iterable[tuple[int, int, int]]:
    return ((b * q, b, q) for b in range(3, 13) for q in range(11, 36))


_OPERATIONS = {
    "plus": (_sums, 50),
    "minus": (_differences, 50),
    "times": (_products, 60),
    "divided by": (_quotients, 40),
}


def arithmetic(operation: str) -> list[Row]:
    """Problems of one operation: "plus", "minus", "times" (every product of the tables of 3 to 12) or "divided by".

    >>> row = arithmetic("times")[0]
    >>> int(row.fields["a"]) * int(row.fields["b"]) == int(row.value)
    True
    """
    problems, count = _OPERATIONS[operation]
    # The stream's name holds no seed: every seed asks the same problems, in fixed and not in drawn ids.
    chosen = shuffled(problems(), stream(f"arithmetic {operation}"))[:count]
    return [
        _number(slug(f"{a} {operation} {b}"), result, {"a": str(a), "operation": operation, "b": str(b)})
        for a, b, result in chosen
    ]


# --- cycles and orders: weekdays, months, letters ---


def neighbours(unit: str, direction: str) -> list[Row]:
    """The day, month or letter just "after" or "before" each other; letters have ends, days and months go round.

    >>> [row.value for row in neighbours("letter", "before")][:3]
    ['A', 'B', 'C']
    """
    names, step = CYCLES[unit], 1 if direction == "after" else -1
    inner = range(len(names))
    if unit == "letter":
        inner = inner[:-1] if step == 1 else inner[1:]
    return [
        Row(
            key=slug(f"{unit} {direction} {names[i]}"),
            value=names[(i + step) % len(names)],
            fields={"name": names[i]},
            order=i,
            avoid=(names[i],),  # "The day after Monday is Monday." would be too plainly false
        )
        for i in inner
    ]


def shifts(unit: str, counts: Iterable[int]) -> list[Row]:
    """Which weekday or month comes several days or months after each other; one block a count.

    >>> row = shifts("day", [3])[0]
    >>> row.fields["count"], row.fields["name"], row.value
    ('three', 'Monday', 'Thursday')
    """
    names = CYCLES[unit]
    return [
        Row(
            key=slug(f"{NUMBER_WORDS[count]} {unit}s after {name}"),
            value=names[(i + count) % len(names)],
            fields={"count": NUMBER_WORDS[count], "name": name},
            near=str(count),
            avoid=(name,),
        )
        for count in counts
        for i, name in enumerate(names)
    ]


def month_lengths() -> list[Row]:
    """Days of the months with 30 days, and of as many with 31: with more, no permutation makes all of them false.

    >>> sorted({row.value for row in month_lengths()})
    ['30', '31']
    """
    lengths = {"April": 30, "June": 30, "September": 30, "November": 30}
    lengths |= {"January": 31, "March": 31, "July": 31, "October": 31}
    return [Row(f"days-in-{slug(month)}", str(days), {"month": month}) for month, days in lengths.items()]


def places(unit: str) -> list[Row]:
    """The letter at each place of the English alphabet, or the month at each place of the year.

    >>> places("letter")[4].fields["ordinal"], places("letter")[4].value
    ('fifth', 'E')
    """
    return [
        Row(f"{unit}-{ORDINALS[i]}", name, {"ordinal": ORDINALS[i]}, order=i)
        for i, name in enumerate(CYCLES[unit], start=1)
    ]


# --- units ---


def conversions(system: str) -> list[Row]:
    """How many smaller units make up a count of larger ones, from `units.tsv`.

    "decimal" units with the same count lend one another their values (5 kilometres: 500, 5,000 or 50,000 metres);
    "other" units take neighbours of the same length.

    >>> row = next(row for row in conversions("other") if row.key == "5-feet-in-inches")
    >>> row.value
    '60'
    """
    rows = []
    for unit in read("units.tsv"):
        if unit["system"] != system:
            continue
        for count in map(int, unit["counts"].split(",")):
            whole = f"{count} {unit['one'] if count == 1 else unit['many']}"
            value = count * int(unit["ratio"])
            rows.append(
                Row(
                    key=slug(f"{whole} in {unit['parts']}"),
                    value=f"{value:,}",
                    fields={"whole": whole, "parts": unit["parts"]},
                    near=str(count) if system == "decimal" else f"{len(str(value))} digits",
                    order=0 if system == "decimal" else value,
                )
            )
    return rows


# --- geometry ---


def angle_sums() -> list[Row]:
    """Sum of a polygon's interior angles: 180 degrees times two less than its sides.

    >>> angle_sums()[1].value
    '360'
    """
    return [_polygon("angles", shape, 180 * (sides - 2)) for shape, sides in _polygons()]


def diagonals() -> list[Row]:
    """Diagonals of a polygon with n sides, n (n - 3) / 2; the triangle, with none, is left out.

    >>> diagonals()[2].value
    '9'
    """
    return [_polygon("diagonals", shape, sides * (sides - 3) // 2) for shape, sides in _polygons() if sides > 3]


def _polygon(kind: str, shape: str, value: int) -> Row:
    return Row(f"{kind}-{slug(shape)}", f"{value:,}", {"polygon": shape}, order=value)


def _polygons() -> list[tuple[str, int]]:
    return [(row["polygon"], int(row["sides"])) for row in read("polygons.tsv")]


# --- Roman numerals ---

_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def _roman(number: int) -> str:
    numeral = ""
    for worth, letters in _ROMAN:
        while number >= worth:
            numeral += letters
            number -= worth
    return numeral


def roman_numerals() -> list[Row]:
    """Roman numerals up to 2,000, in clusters so that every number has neighbours a few units away.

    >>> next(row.value for row in roman_numerals() if row.key == "xix")
    '19'
    """
    clusters: list[Iterable[int]] = [range(2, 10), range(11, 100, 2)]
    clusters += [[start + step for step in (0, 1, 3, 6, 8, 11)] for start in (138, 387, 546, 888, 1484, 1938)]
    return [
        # Without a comma: most four-figure numbers in Roman numerals are years.
        Row(_roman(number).lower(), str(number), {"numeral": _roman(number)}, near=str(label), order=number)
        for label, numbers in enumerate(clusters)
        for number in numbers
    ]
