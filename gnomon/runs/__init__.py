"""What is kept: a run is a folder, and everything that a study produces is in it and can be read without gnomon.

::

    runs/<id>/  manifest.json   what was asked, of whom, with which versions and seeds; its status turns complete last
                records.jsonl   one line a unit, appended and flushed as it is done
                result.json     the summary's blocks
                report.html     the same, to look at
                log.txt         what happened, with times

What models were paid for is kept beside the runs and shared by all of them: answers (`AnswerCache`) and hidden states
(`StateStore`), both in the cache folder, where everything can be made again.

Belongs here: the room's public names. Does not belong here: what a unit means (the questions).
"""

from gnomon.runs._cache import AnswerCache
from gnomon.runs._engine import Unit, ask_all
from gnomon.runs._journal import Journal
from gnomon.runs._manifest import Manifest, Record, surroundings
from gnomon.runs._run import Run, list_runs, now
from gnomon.runs._states import Represented, StateStore, represent_all

__all__ = [
    "Journal",
    "Manifest",
    "Record",
    "Represented",
    "Run",
    "StateStore",
    "AnswerCache",
    "Unit",
    "ask_all",
    "list_runs",
    "now",
    "represent_all",
    "surroundings",
]
