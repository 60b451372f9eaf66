"""MMLU's subjects: subcategory, and rows in val and test (dev has five each). From the release's files and
categories.py; totals 1,531 and 14,042."""

from __future__ import annotations

__all__ = ["CATEGORY", "COUNTS", "SUBCATEGORY", "SUBJECTS"]

_TABLE = """
abstract_algebra                     math                11    100
anatomy                              health              14    135
astronomy                            physics             16    152
business_ethics                      business            11    100
clinical_knowledge                   health              29    265
college_biology                      biology             16    144
college_chemistry                    chemistry            8    100
college_computer_science             computer science    11    100
college_mathematics                  math                11    100
college_medicine                     health              22    173
college_physics                      physics             11    102
computer_security                    computer science    11    100
conceptual_physics                   physics             26    235
econometrics                         economics           12    114
electrical_engineering               engineering         16    145
elementary_mathematics               math                41    378
formal_logic                         philosophy          14    126
global_facts                         other               10    100
high_school_biology                  biology             32    310
high_school_chemistry                chemistry           22    203
high_school_computer_science         computer science     9    100
high_school_european_history         history             18    165
high_school_geography                geography           22    198
high_school_government_and_politics  politics            21    193
high_school_macroeconomics           economics           43    390
high_school_mathematics              math                29    270
high_school_microeconomics           economics           26    238
high_school_physics                  physics             17    151
high_school_psychology               psychology          60    545
high_school_statistics               math                23    216
high_school_us_history               history             22    204
high_school_world_history            history             26    237
human_aging                          health              23    223
human_sexuality                      culture             12    131
international_law                    law                 13    121
jurisprudence                        law                 11    108
logical_fallacies                    philosophy          18    163
machine_learning                     computer science    11    112
management                           business            11    103
marketing                            business            25    234
medical_genetics                     health              11    100
miscellaneous                        other               86    783
moral_disputes                       philosophy          38    346
moral_scenarios                      philosophy         100    895
nutrition                            health              33    306
philosophy                           philosophy          34    311
prehistory                           history             35    324
professional_accounting              other               31    282
professional_law                     law                170   1534
professional_medicine                health              31    272
professional_psychology              psychology          69    612
public_relations                     politics            12    110
security_studies                     politics            27    245
sociology                            culture             22    201
us_foreign_policy                    politics            11    100
virology                             health              18    166
world_religions                      philosophy          19    171
"""

_SUBCATEGORIES = {
    "STEM": ("physics", "chemistry", "biology", "computer science", "math", "engineering"),
    "humanities": ("history", "philosophy", "law"),
    "social sciences": ("politics", "culture", "economics", "geography", "psychology"),
    "other": ("other", "business", "health"),
}

_ROWS = [line.rsplit(maxsplit=2) for line in _TABLE.strip().splitlines()]
_NAMES = [row[0].split(maxsplit=1) for row in _ROWS]

SUBJECTS: tuple[str, ...] = tuple(name for name, _ in _NAMES)
"""All 57, in alphabetical order."""

SUBCATEGORY: dict[str, str] = {name: subcategory.strip() for name, subcategory in _NAMES}
"""Subject to one of 17 subcategories."""

CATEGORY: dict[str, str] = {part: whole for whole, parts in _SUBCATEGORIES.items() for part in parts}
"""Subcategory to one of 4 categories; "other" is the release's "other (business, health, misc.)"."""

COUNTS: dict[tuple[str, str], int] = {
    key: count
    for name, (_, val, test) in zip(SUBJECTS, _ROWS, strict=True)
    for key, count in ((("dev", name), 5), (("val", name), int(val)), (("test", name), int(test)))
}
"""(split, subject) to rows in the release."""
