"""The embedded facts: true where they say so, false where they say so, and nothing but truth tells the twins apart."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from importlib.resources import files

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from gnomon.errors import DataError
from gnomon.tasks._facts import FAMILIES, Fact, facts
from gnomon.tasks._facts._tables import read

made = cache(facts)
ALL = made(0)
STATEMENTS = [fact for fact in ALL if fact.form == "statement"]
QUESTIONS = [fact for fact in ALL if fact.form == "question"]
TRUE = {fact.group: fact for fact in STATEMENTS if fact.answer == 1}
FALSE = {fact.group: fact for fact in STATEMENTS if fact.answer == 0}
ASKED = {fact.group: fact for fact in QUESTIONS}


ORDINAL_WORDS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth "
    "twenty-fifth twenty-sixth"
)
ORDINALS = ORDINAL_WORDS.split()


def in_family(family: str, pattern: str = "") -> list[Fact]:
    """Statements of a family whose text matches a pattern; never empty."""
    found = [fact for fact in STATEMENTS if fact.family == family and re.search(pattern, fact.text)]
    assert found
    return found


def cells(name: str) -> list[list[str]]:
    """A table's rows without its header, read without the package's reader."""
    text = files("gnomon.tasks._facts").joinpath(name).read_bytes().decode("utf-8")
    return [line.split("\t") for line in text.split("\n")[1:-1]]


# --- shape ---


def test_there_are_enough_statements_questions_and_families() -> None:
    assert len(TRUE) >= 700
    assert len(FALSE) >= 700
    assert len(QUESTIONS) >= 500
    assert len(FAMILIES) >= 8
    assert {fact.family for fact in ALL} == set(FAMILIES)
    assert {fact.family for fact in QUESTIONS} == set(FAMILIES)
    assert len(set(FAMILIES)) == len(FAMILIES)


def test_ids_and_texts_are_unique_and_ids_name_the_fact() -> None:
    assert len({fact.id for fact in ALL}) == len(ALL)
    assert len({fact.text for fact in ALL}) == len(ALL)
    assert {"capitals-true-france", "capitals-false-france", "capitals-choice-france"} <= {fact.id for fact in ALL}
    for fact in ALL:
        part = "choice" if fact.form == "question" else fact.choices[fact.answer]
        assert fact.id == f"{fact.family}-{part}-{fact.group.removeprefix(fact.family + '-')}"
        assert re.fullmatch(r"[a-z0-9-]+", fact.id)


def test_every_group_is_one_true_statement_one_false_statement_and_at_most_one_question() -> None:
    members = defaultdict(list)
    for fact in ALL:
        members[fact.group].append(fact)
    for group, twins in members.items():
        assert len({fact.family for fact in twins}) == 1, group
        truths = sorted(fact.answer for fact in twins if fact.form == "statement")
        assert truths == [0, 1], group
        assert sum(fact.form == "question" for fact in twins) <= 1, group


def test_statements_offer_false_and_true_and_questions_four_different_options() -> None:
    assert {fact.choices for fact in STATEMENTS} == {("false", "true")}
    for fact in QUESTIONS:
        assert len(fact.choices) == len(set(fact.choices)) == 4, fact
        assert 0 <= fact.answer < 4


def test_sentences_begin_with_a_capital_or_digit_and_end_once() -> None:
    for fact in ALL:
        end = "." if fact.form == "statement" else "?"
        assert fact.text[0].isdigit() or fact.text[0].isupper(), fact.text
        assert fact.text.endswith(end), fact.text
        assert not fact.text.endswith((". .", "..", "??")), fact.text
        assert "  " not in fact.text, fact.text
        assert not set("{}\t\n") & set(fact.text), fact.text


def test_an_stands_before_vowels_and_a_before_consonants() -> None:
    texts = [fact.text for fact in ALL if fact.family != "alphabet"]  # where A is a letter
    said = {" ".join(m) for text in texts for m in re.findall(r"\b([Aa]n?) ([a-z]\w*)", text)}
    assert len(said) > 30
    for phrase in said:
        article, word = phrase.lower().split()
        assert (article == "an") == (word[0] in "aeiou"), phrase


def test_countries_that_take_the_article_have_it() -> None:
    plural = re.compile(r"Netherlands|Philippines|Bahamas|Maldives|Comoros|Islands|Emirates|Kingdom|States|Republic")
    for fact in (fact for fact in ALL if fact.family in {"capitals", "continents", "languages"}):
        for name in plural.finditer(fact.text):
            assert re.search(r"\b[Tt]he ([A-Z]\w+ )*(of the )?$", fact.text[: name.start()]), fact.text


# --- the twins differ in the value alone, and the value alone tells nothing ---


def value_span(group: str) -> tuple[str, str]:
    """What the true and the false statement do not share, grown to whole words."""
    words, others = TRUE[group].text[:-1].split(" "), FALSE[group].text[:-1].split(" ")
    head = next(i for i, (a, b) in enumerate(zip(words, others, strict=False)) if a != b)
    tail = next(i for i, (a, b) in enumerate(zip(words[::-1], others[::-1], strict=False)) if a != b)
    return " ".join(words[head : len(words) - tail]), " ".join(others[head : len(others) - tail])


def test_twins_share_all_but_the_value_and_the_false_value_is_true_of_another_row() -> None:
    values = defaultdict(set)
    for group, question in ASKED.items():
        values[question.family].add(question.choices[question.answer])
        right, wrong = value_span(group)
        # A shared word ("Port Louis", "Port Vila") makes the span shorter than the value, never longer.
        assert question.choices[question.answer].endswith(right) or question.choices[question.answer].startswith(right)
        assert wrong
    for group, question in ASKED.items():
        right = question.choices[question.answer]
        start = TRUE[group].text.rindex(right)
        head, tail = TRUE[group].text[:start], TRUE[group].text[start + len(right) :]
        false = FALSE[group].text
        # "in {value}" and "There are {value} ..." alike: the wording around the value is the same, letter for letter.
        assert false.startswith(head)
        assert false.endswith(tail)
        assert false[len(head) : len(false) - len(tail)] in values[question.family], false


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_family_uses_the_same_words_equally_often_in_true_and_in_false_statements(seed: int) -> None:
    """The exact form of "Paris is as often in a false statement": it holds for every word, for subjects and values."""
    counts: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for fact in made(seed):
        if fact.form == "statement":
            counts[fact.family, fact.answer].update(fact.text.split(" "))
    for family in FAMILIES:
        assert counts[family, 0] == counts[family, 1]
        assert counts[family, 0].total() > 0


def test_false_and_true_statements_hold_the_same_multiset_of_values() -> None:
    values: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for group, question in ASKED.items():
        right = question.choices[question.answer]
        start = TRUE[group].text.rindex(right)
        rest = len(TRUE[group].text) - start - len(right)
        values[question.family, 1][right] += 1
        values[question.family, 0][FALSE[group].text[start : len(FALSE[group].text) - rest]] += 1
    for family in FAMILIES:
        assert values[family, 0] == values[family, 1]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_false_statement_is_a_true_statement_of_another_row(seed: int) -> None:
    texts: dict[int, set[str]] = {0: set(), 1: set()}
    for fact in made(seed):
        if fact.form == "statement":
            texts[fact.answer].add(fact.text)
    assert texts[0]
    assert not texts[0] & texts[1]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_distractor_makes_a_true_statement(seed: int) -> None:
    true = {fact.group: fact.text for fact in made(seed) if fact.form == "statement" and fact.answer == 1}
    all_true = set(true.values())
    for fact in made(seed):
        if fact.form == "question":
            right = fact.choices[fact.answer]
            for wrong in set(fact.choices) - {right}:
                head, _, tail = true[fact.group].rpartition(right)
                assert f"{head}{wrong}{tail}" not in all_true


def test_words_learned_on_half_of_the_groups_do_not_tell_truth_on_the_other_half() -> None:
    truth = np.array([fact.answer for fact in STATEMENTS])
    groups = np.array([fact.group for fact in STATEMENTS])
    words = CountVectorizer(token_pattern=r"[^\s.]+", lowercase=False).fit_transform(fact.text for fact in STATEMENTS)
    for seed in range(3):
        names = np.random.default_rng(seed).permutation(np.unique(groups))
        half = np.isin(groups, names[: len(names) // 2])
        model = LogisticRegression(max_iter=2000).fit(words[half], truth[half])
        assert model.score(words[~half], truth[~half]) < 0.53


def test_words_do_not_tell_truth_even_on_the_groups_they_were_fitted_on() -> None:
    truth = np.array([fact.answer for fact in STATEMENTS])
    words = CountVectorizer(token_pattern=r"[^\s.]+", lowercase=False).fit_transform(fact.text for fact in STATEMENTS)
    probability = LogisticRegression(max_iter=2000).fit(words, truth).predict_proba(words)[:, 1]
    assert np.abs(probability - 0.5).max() < 1e-6


# --- questions ---


def test_the_right_option_stands_in_each_place_equally_often() -> None:
    for family in FAMILIES:
        places = Counter(fact.answer for fact in QUESTIONS if fact.family == family)
        expected = places.total() / 4
        assert sum((places[i] - expected) ** 2 / expected for i in range(4)) < 6.25, (family, places)  # chi2(3), p = .1
    overall = Counter(fact.answer for fact in QUESTIONS)
    assert max(overall.values()) - min(overall.values()) < 0.05 * len(QUESTIONS)


def test_the_right_number_is_the_smallest_or_largest_option_about_as_often_as_a_middle_one() -> None:
    ranks: Counter[int] = Counter()
    for fact in QUESTIONS:
        if fact.family in {"arithmetic", "elements", "geometry", "roman", "units"}:
            numbers = [choice.replace(",", "") for choice in fact.choices]
            if all(number.isdecimal() for number in numbers):
                ranks[sorted(map(int, numbers)).index(int(numbers[fact.answer]))] += 1
    assert ranks.total() > 400
    assert all(0.19 < ranks[i] / ranks.total() < 0.31 for i in range(4)), ranks


def test_the_question_asks_for_what_the_true_statement_says() -> None:
    for group, question in ASKED.items():
        assert re.search(rf"\b{re.escape(question.choices[question.answer])}\b", TRUE[group].text)
        assert question.choices[question.answer] not in re.findall(r"[\w,]+", question.text)


# --- what follows from a rule is computed again here, from the text ---


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_arithmetic_is_right() -> None:
    assert len(in_family("arithmetic")) > 300
    for fact in in_family("arithmetic"):
        a, operation, b, result = re.fullmatch(r"(\d+) (\D+) (\d+) is (\d+)\.", fact.text).groups()
        x, y = Fraction(a), Fraction(b)
        value = {"plus": x + y, "minus": x - y, "times": x * y, "divided by": x / y}[operation]
        assert (value == int(result)) == bool(fact.answer), fact.text
        assert len(str(value)) == len(result), fact.text


def test_wrong_sums_are_near_misses() -> None:
    gaps = [abs(int(value_span(g)[0]) - int(value_span(g)[1])) for g in TRUE if g.startswith("arithmetic-")]
    assert np.median(gaps) <= 4
    assert max(gaps) <= 40


def test_weekdays_and_months_are_right() -> None:
    words = {"two": 2, "three": 3, "four": 4, "five": 5}
    monday = date(2024, 1, 1)
    days = [f"{monday + timedelta(days=i):%A}" for i in range(7)]
    months = [f"{date(2024, m, 1):%B}" for m in range(1, 13)]
    seen = 0
    for fact in in_family("calendar"):
        if match := re.fullmatch(r"The (?:day|month) (after|before) (\w+) is (\w+)\.", fact.text):
            direction, start, end = match.groups()
            step = 1 if direction == "after" else -1
        elif match := re.fullmatch(r"(\w+) (?:days|months) after (\w+) comes (\w+)\.", fact.text):
            count, start, end = match.groups()
            step = words[count.lower()]
        else:
            continue
        cycle = days if start in days else months
        assert (cycle[(cycle.index(start) + step) % len(cycle)] == end) == bool(fact.answer), fact.text
        assert start != end
        seen += 1
    assert seen == 2 * (7 * 6 + 12 * 5)


def test_lengths_and_places_of_months_are_right() -> None:
    for fact in in_family("calendar", "month of the year"):
        ordinal, month = re.fullmatch(r"The (\w+) month of the year is (\w+)\.", fact.text).groups()
        assert (f"{date(2023, ORDINALS.index(ordinal) + 1, 1):%B}" == month) == bool(fact.answer)
    for fact in in_family("calendar", "has"):
        month, days = re.fullmatch(r"The month of (\w+) has (\d+) days\.", fact.text).groups()
        first = next(date(2023, m, 1) for m in range(1, 13) if f"{date(2023, m, 1):%B}" == month)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        assert (last.day == int(days)) == bool(fact.answer)


def test_roman_numerals_are_right() -> None:
    worth = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    for fact in in_family("roman"):
        numeral, claimed = re.fullmatch(r"The Roman numeral ([IVXLCDM]+) stands for (\d+)\.", fact.text).groups()
        total = 0
        for here, following in zip(numeral, [*numeral[1:], ""], strict=True):
            total += -worth[here] if following and worth[following] > worth[here] else worth[here]
        assert (total == int(claimed)) == bool(fact.answer), fact.text
        assert not re.search(r"IIII|VV|XXXX|LL|CCCC|DD|IL|IC|ID|IM|XD|XM|V[XLCDM]|L[CDM]|DM|I[VX][IVX]", numeral)


def test_unit_conversions_are_right() -> None:
    """In one base unit a dimension: inches, ounces, millilitres or pints, seconds or months, square metres, bits."""
    base = {
        "inch": 1, "foot": 12, "yard": 36, "fathom": 72, "furlong": 7920, "mile": 63360,
        "millimetre": 1, "centimetre": 10, "metre": 1000, "kilometre": 10**6, "gram": 1, "kilogram": 1000,
        "ounce": 1, "pound": 16, "stone": 224, "pint": 1, "quart": 2, "gallon": 8, "millilitre": 1, "litre": 1000,
        "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800,
        "month": 1, "year": 12, "decade": 120, "century": 1200, "square metre": 1, "hectare": 10000,
        "degree": 1, "right angle": 90, "full turn": 360, "bit": 1, "byte": 8,
    }  # fmt: skip
    plural = {"inches": "inch", "feet": "foot", "stone": "stone", "centuries": "century"}

    def singular(unit: str) -> str:
        return plural.get(unit, unit.removesuffix("s") if unit not in base else unit)

    units = in_family("units")
    assert len(units) > 250
    for fact in units:
        claim = re.fullmatch(r"There are ([\d,]+) ([a-z ]+) in (\d+) ([a-z ]+)\.", fact.text)
        value, part, count, whole = claim.groups()
        right = int(count) * Fraction(base[singular(whole)], base[singular(part)])
        assert (right == number(value)) == bool(fact.answer), fact.text
        assert (whole == singular(whole)) == (count == "1") or whole == "stone", fact.text
        assert value == f"{number(value):,}"


def test_alphabet_is_right() -> None:
    for fact in in_family("alphabet", r"alphabet is \w\.$"):
        if match := re.fullmatch(r"The letter (after|before) (\w) in the alphabet is (\w)\.", fact.text):
            direction, start, end = match.groups()
            right = ord(end) - ord(start) == (1 if direction == "after" else -1)
        else:
            ordinal, end = re.fullmatch(r"The ([\w-]+) letter of the alphabet is (\w)\.", fact.text).groups()
            right = ord(end) - ord("A") == ORDINALS.index(ordinal)
        assert right == bool(fact.answer), fact.text
    assert len(in_family("alphabet", r"alphabet is \w\.$")) == len(in_family("alphabet")) == 2 * (25 + 25 + 26)


def test_polygons_are_right() -> None:
    names = ["triangle", "quadrilateral", "pentagon", "hexagon", "heptagon", "octagon", "nonagon", "decagon"]
    corners = dict(zip([*names, "hendecagon", "dodecagon"], range(3, 13), strict=True))
    seen = 0
    for fact in in_family("geometry", r"sides|angles|diagonals"):
        name = next(name for name in corners if re.search(rf"\b{name}\b", fact.text))
        claimed = number(re.search(r"[\d,]+", fact.text)[0])
        n = corners[name]
        if "diagonals" in fact.text:
            value = sum(1 for i in range(n) for j in range(i + 2, n) if (i, j) != (0, n - 1))
        else:
            value = n if "sides" in fact.text else n * 180 - 360
        assert (value == claimed) == bool(fact.answer), fact.text
        seen += 1
    assert seen == 2 * (10 + 10 + 9)


def test_solids_obey_euler_and_the_counts_of_prisms_and_pyramids() -> None:
    base = {"square": 4, "triangular": 3, "pentagonal": 5, "hexagonal": 6, "octagonal": 8}
    platonic = {"tetrahedron": (3, 3), "cube": (4, 3), "octahedron": (3, 4)}
    platonic |= {"dodecahedron": (5, 3), "icosahedron": (3, 5)}
    solids = {name: tuple(map(int, counts)) for name, *counts in cells("solids.tsv")}
    for name, (f, e, v) in solids.items():
        assert v - e + f == 2, name
        *_, adjective, noun = name.split()
        if noun in {"prism", "pyramid"}:
            n = base[adjective]
            assert (f, e, v) == ((n + 2, 3 * n, 2 * n) if noun == "prism" else (n + 1, 2 * n, n + 1))
        else:
            p, q = platonic[noun]  # Schlaefli symbol: p-gons, q at each vertex
            assert p * f == 2 * e == q * v
            assert Fraction(1, p) + Fraction(1, q) == Fraction(1, 2) + Fraction(1, e)
    for fact in in_family("geometry", r"faces|edges|vertices"):
        name, claimed, part = re.fullmatch(r"(.+) has (\d+) (\w+)\.", fact.text).groups()
        right = solids[name[0].lower() + name[1:]][["faces", "edges", "vertices"].index(part)]
        assert (right == int(claimed)) == bool(fact.answer), fact.text


# --- the tables ---


def test_elements_are_complete_and_their_symbols_unique() -> None:
    table = cells("elements.tsv")
    assert [int(row[0]) for row in table] == list(range(1, 119))
    assert len({row[1] for row in table}) == len({row[2] for row in table}) == 118
    for _, name, symbol in table:
        assert re.fullmatch(r"[A-Z][a-z]?", symbol), name


def test_elements_stand_in_the_periods_and_groups_that_chemistry_gives_them() -> None:
    symbol = {int(row[0]): row[2] for row in cells("elements.tsv")}
    assert [symbol[n] for n in (2, 10, 18, 36, 54, 86, 118)] == ["He", "Ne", "Ar", "Kr", "Xe", "Rn", "Og"]
    assert [symbol[n] for n in (3, 11, 19, 37, 55, 87)] == ["Li", "Na", "K", "Rb", "Cs", "Fr"]
    assert [symbol[n] for n in (9, 17, 35, 53, 85, 117)] == ["F", "Cl", "Br", "I", "At", "Ts"]
    assert [symbol[n] for n in (29, 47, 79, 111)] == ["Cu", "Ag", "Au", "Rg"]
    assert "".join(symbol[n] for n in range(57, 72)) == "LaCePrNdPmSmEuGdTbDyHoErTmYbLu"
    assert "".join(symbol[n] for n in range(89, 104)) == "AcThPaUNpPuAmCmBkCfEsFmMdNoLr"


def test_a_false_symbol_begins_with_a_letter_of_the_right_symbols_block() -> None:
    groups = {group: value_span(group) for group in TRUE if group.startswith("elements-symbol-")}
    assert len(groups) == 118
    same = sum(right[0] == wrong[0] for right, wrong in groups.values())
    assert same > 60


def test_planets_stand_in_the_order_of_their_orbits() -> None:
    semi_major_axis = {"Mercury": 0.39, "Venus": 0.72, "Earth": 1.0, "Mars": 1.52, "Jupiter": 5.2, "Saturn": 9.58}
    semi_major_axis |= {"Uranus": 19.2, "Neptune": 30.1}
    order = [planet for _, planet in cells("planets.tsv")]
    assert order == sorted(semi_major_axis, key=semi_major_axis.__getitem__)
    for fact in in_family("planets", "follows"):
        first, second = re.fullmatch(r"The planet that follows (\w+) in .* is (\w+)\.", fact.text).groups()
        assert (order.index(second) - order.index(first) == 1) == bool(fact.answer)


@pytest.mark.parametrize(
    ("table", "column"),
    [("capitals.tsv", 1), ("elements.tsv", 2), ("opposites.tsv", 1), ("plurals.tsv", 1), ("past_tense.tsv", 1)],
)
def test_values_that_must_belong_to_one_row_do(table: str, column: int) -> None:
    held = Counter(row[column] for row in cells(table))
    assert [value for value, count in held.items() if count > 1] == []


@pytest.mark.parametrize("table", ["animals.tsv", "continents.tsv", "languages.tsv", "opposites.tsv", "young.tsv"])
def test_values_to_avoid_exist_and_are_never_used(table: str) -> None:
    rows = read(table)
    subject, value, *_ = rows[0]
    avoided = {wrong for row in rows for wrong in row["avoid"].split(";") if wrong}
    assert avoided
    assert avoided <= {row[value] for row in rows}
    texts = {truth: {f.text for s in range(5) for f in made(s) if f"-{truth}-" in f.id} for truth in ("false", "true")}

    def said(name: str, what: str, truth: str) -> bool:
        sentence = re.compile(rf"\b{re.escape(name)} (is|are)( in)? {re.escape(what)}\.$", re.IGNORECASE)
        return any(sentence.search(text) for text in texts[truth])

    for row in rows:
        for wrong in filter(None, row["avoid"].split(";")):
            assert said(row[subject], row[value], "true")  # so the pattern does find this table's sentences
            assert not said(row[subject], wrong, "false"), (row[subject], wrong)


def test_tables_have_a_header_full_rows_and_no_stray_blanks() -> None:
    folder = files("gnomon.tasks._facts")
    tables = [entry for entry in folder.iterdir() if entry.name.endswith(".tsv")]
    assert len(tables) >= 12
    for entry in tables:
        text = entry.read_bytes().decode("utf-8")
        assert text.endswith("\n")
        assert "\r" not in text
        rows = [line.split("\t") for line in text.split("\n")[:-1]]
        assert len({len(row) for row in rows}) == 1, entry.name
        assert all(cell == cell.strip() for row in rows for cell in row), entry.name
        assert len({tuple(row) for row in rows}) == len(rows), entry.name


def test_a_missing_table_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"'nothing.tsv'.*Reinstall"):
        read("nothing.tsv")


# --- seeds ---


def test_two_calls_are_equal() -> None:
    assert facts(3) == facts(3)


def test_a_seed_changes_false_values_and_options_and_nothing_else() -> None:
    other = {fact.id: fact for fact in made(1)}
    assert set(other) == {fact.id for fact in ALL}
    for fact in ALL:
        twin = other[fact.id]
        assert (fact.group, fact.form, fact.family) == (twin.group, twin.form, twin.family)
        if fact.form == "question":
            assert fact.text == twin.text
            assert fact.choices[fact.answer] == twin.choices[twin.answer]
    assert all(other[fact.id].text == fact.text for fact in TRUE.values())
    assert np.mean([other[fact.id].text != fact.text for fact in FALSE.values()]) > 0.6
    assert np.mean([other[fact.id].choices != fact.choices for fact in QUESTIONS]) > 0.8
