"""What is asked. One file is one task; the file name is the task's name.

Belongs here: the room's public names. Does not belong here: any task.
"""

from gnomon.tasks._contrast import (
    ContrastPair,
    balanced_sample,
    contrast_pair,
    contrast_templates,
    hidden_supervision,
    split_by_group,
)
from gnomon.tasks._data import TASK_ARGUMENTS, WRITING_ARGUMENTS, TaskData, load_task
from gnomon.tasks._judged import Judged, judged, labelled, offered
from gnomon.tasks._posed import Posed, posed, written_only
from gnomon.tasks._sources import EMBEDDED, Folder, Hub, Source, SourceFinder, csv_rows, hub_rows, json_rows, line_rows
from gnomon.tasks._task import Item, Kind, Metric, Protocol, ShotLimit, Task, one_ask, registry, task_named

__all__ = [
    "ContrastPair",
    "EMBEDDED",
    "Folder",
    "Hub",
    "Item",
    "Judged",
    "Kind",
    "Metric",
    "Posed",
    "Protocol",
    "ShotLimit",
    "Source",
    "SourceFinder",
    "TASK_ARGUMENTS",
    "Task",
    "TaskData",
    "WRITING_ARGUMENTS",
    "balanced_sample",
    "contrast_pair",
    "contrast_templates",
    "csv_rows",
    "hidden_supervision",
    "hub_rows",
    "json_rows",
    "judged",
    "labelled",
    "line_rows",
    "load_task",
    "offered",
    "one_ask",
    "posed",
    "registry",
    "split_by_group",
    "task_named",
    "written_only",
]
