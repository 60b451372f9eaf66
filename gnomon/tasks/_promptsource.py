"""Promptsource's templates, where a user has them: `-T promptsource=FOLDER`.

Belongs here: reading the YAML files and wording items with them. Does not belong here: any template (none is carried).

Templates are other people's programs in a small language: they are read with a loader that builds nothing but plain
values, and rendered in jinja2's sandbox without any loader of files.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.asks import Ask
from gnomon.errors import DataError
from gnomon.tasks._task import Item, Protocol, Task

__all__ = ["with_templates"]

_BAR = "|||"


def with_templates(task: Task, folder: str) -> tuple[Task, list[str]]:
    """`task` with the templates of the user's copy as protocols `promptsource/<name>`, and a note on those left out.

    A template is left out where it does not give one answer a choice on the task's own examples.

    Raises DataError where the folder holds no templates of this data set, or none that can be used.
    """
    path = _file(task, Path(folder).expanduser())
    found: dict[str, Protocol] = {}
    left: list[str] = []
    for template in _templates(path):
        name = str(template.get("name") or "unnamed")
        protocol = _protocol(template, name)
        if _usable(protocol, task.examples):
            found[f"promptsource/{_slug(name)}"] = protocol
        else:
            left.append(name)
    if not found:
        raise DataError(
            f"none of {len(left)} templates in {path} gives one answer for each choice of {task.name}.",
            hint="Leave out  -T promptsource=... , and gnomon's own wordings are used.",
        )
    notes = (
        [
            f"{len(left)} of promptsource's templates give no answer for each choice and were left out: "
            f"{', '.join(left[:5])}{' ...' if len(left) > 5 else ''}."
        ]
        if left
        else []
    )
    return dataclasses.replace(task, protocols={**task.protocols, **found}), notes


def _file(task: Task, folder: Path) -> Path:
    tried = [folder, *(base / task.promptsource / "templates.yaml" for base in (folder, folder / "templates"))]
    tried.append(folder / "templates.yaml")
    for path in tried:
        if path.is_file():
            return path
    raise DataError(
        f"promptsource={folder} holds no templates of {task.name}.",
        hint=f"Expected: {task.promptsource}/templates.yaml in it, as in promptsource's folder templates/.",
    )


def _templates(path: Path) -> list[Mapping[str, Any]]:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Plain values, and the two tags of promptsource as plain mappings."""

    for tag in ("!Template", "!TemplateMetadata"):
        Loader.add_constructor(tag, lambda loader, node: loader.construct_mapping(node, deep=True))
    try:
        read = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path} cannot be read as promptsource's templates: {reason}.") from error
    templates = read.get("templates") if isinstance(read, dict) else None
    if not isinstance(templates, dict) or not all(isinstance(one, dict) for one in templates.values()):
        raise DataError(f"{path} holds no 'templates', as promptsource's files do.")
    return list(templates.values())


def _protocol(template: Mapping[str, Any], name: str) -> Protocol:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment()
    text, choices = str(template.get("jinja") or ""), str(template.get("answer_choices") or "")

    def ask(item: Item, shots: Sequence[Item]) -> tuple[Ask, ...]:
        examples = "".join(f"{prompt}\n{said[shot.answer]}\n\n" for shot in shots for prompt, said in [parts(shot)])
        prompt, said = parts(item)
        space = "" if prompt[-1:].isspace() else " "
        return (Ask(examples + prompt, tuple(space + answer for answer in said)),)

    def parts(item: Item) -> tuple[str, list[str]]:
        fields: dict[str, Any] = {**item.fields, "label": item.answer, "idx": item.id}
        said = [one.strip() for one in _rendered(environment, choices, fields).split(_BAR)] if choices else []
        prompt = _rendered(environment, text, {**fields, "answer_choices": said}).split(_BAR)[0].rstrip()
        if len(said) != len(item.choices) and len(item.choices) == 2:  # the item was narrowed to two of many
            wanted = [one for one in said if one.lower() in {choice.lower() for choice in item.choices}]
            said = sorted(wanted, key=lambda one: [c.lower() for c in item.choices].index(one.lower()))
        return prompt, said

    return Protocol(version=1, about=f"promptsource's template '{name}', from the user's copy.", ask=ask)


def _rendered(environment: Any, text: str, fields: Mapping[str, Any]) -> str:
    from jinja2 import TemplateError

    try:
        rendered: str = environment.from_string(text).render(**fields)
    except (TemplateError, TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise DataError(
            f"a template of promptsource cannot be rendered: {' '.join(str(error).split())[:120]}."
        ) from error
    return rendered


def _usable(protocol: Protocol, examples: Sequence[Item]) -> bool:
    try:
        asks = [(item, protocol.ask(item, [])) for item in examples]
    except DataError:
        return False
    return all(
        isinstance(ask, Ask)
        and ask.context.strip() != ""
        and len(ask.continuations) == len(item.choices) == len(set(ask.continuations))
        and all(answer.strip() for answer in ask.continuations)
        for item, (ask,) in asks
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"
