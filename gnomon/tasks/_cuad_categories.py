"""CUAD's categories and counts: facts of the release (category_descriptions.csv, CUADv1.json, test.json).

Belongs here: names and numbers. Does not belong here: descriptions of the categories, which are read from the
release, or reading (`_squad.py`).
"""

from __future__ import annotations

__all__ = ["CATEGORIES", "CONTRACTS", "FROM_ID", "LABELLED", "QUESTIONS", "SPANS"]

CATEGORIES: tuple[str, ...] = (
    "Document Name",
    "Parties",
    "Agreement Date",
    "Effective Date",
    "Expiration Date",
    "Renewal Term",
    "Notice Period to Terminate Renewal",
    "Governing Law",
    "Most Favored Nation",
    "Non-Compete",
    "Exclusivity",
    "No-Solicit of Customers",
    "Competitive Restriction Exception",
    "No-Solicit of Employees",
    "Non-Disparagement",
    "Termination for Convenience",
    "Rofr/Rofo/Rofn",
    "Change of Control",
    "Anti-Assignment",
    "Revenue/Profit Sharing",
    "Price Restrictions",
    "Minimum Commitment",
    "Volume Restriction",
    "IP Ownership Assignment",
    "Joint IP Ownership",
    "License Grant",
    "Non-Transferable License",
    "Affiliate License-Licensor",
    "Affiliate License-Licensee",
    "Unlimited/All-You-Can-Eat-License",
    "Irrevocable or Perpetual License",
    "Source Code Escrow",
    "Post-Termination Services",
    "Audit Rights",
    "Uncapped Liability",
    "Cap on Liability",
    "Liquidated Damages",
    "Warranty Duration",
    "Insurance",
    "Covenant Not to Sue",
    "Third Party Beneficiary",
)
"""All 41 in the order of category_descriptions.csv, which is the order of each contract's questions."""

FROM_ID: dict[str, str] = {name.title(): name for name in CATEGORIES}
"""The end of a question's id to its category. Ids were made by `str.title()`: `Ip Ownership Assignment`, `Cap On
Liability`, `Rofr/Rofo/Rofn`."""

CONTRACTS: dict[str, int] = {"all": 510, "train": 408, "test": 102}
"""Contracts in a split; no contract is in both train and test."""

QUESTIONS: dict[str, int] = {split: count * len(CATEGORIES) for split, count in CONTRACTS.items()}
"""Questions in a split: 20,910, 16,728 and 4,182."""

LABELLED: int = 6702
"""Questions of all 510 contracts that have at least one span."""

SPANS: int = 13823
"""Spans of all 510 contracts."""
