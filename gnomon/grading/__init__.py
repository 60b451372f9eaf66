"""How an answer is judged. One file is one kind of answer: `choices.py` (options), `groups.py` (rows that count only
together)."""
