"""`gnomon doctor`. Belongs here: looking, and saying how to get what is missing. It changes nothing and asks no
network."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from pathlib import Path

import click

from gnomon.errors import UsageError


@click.command("doctor")
def command() -> int:
    """What is installed, what is missing, and how to get it."""
    for title, lines in (
        ("Versions", _versions()),
        ("Devices", _devices()),
        ("Embedded model and vocabulary", _embedded()),
        ("Caches", _caches()),
        ("Data", _data()),
        ("Sandbox and browser", _programs()),
    ):
        click.echo(click.style(title, bold=True))
        for good, text in lines:
            click.echo(f"  {'ok     ' if good else 'missing'} {text}")
    return 0


def _versions() -> list[tuple[bool, str]]:
    lines = [(True, f"python {platform.python_version()} on {platform.system()} {platform.machine()}")]
    for name in (
        "gnomon",
        "torch",
        "transformers",
        "tokenizers",
        "datasets",
        "numpy",
        "scipy",
        "altair",
        "vl-convert-python",
    ):
        try:
            lines.append((True, f"{name} {importlib.metadata.version(name)}"))
        except importlib.metadata.PackageNotFoundError:
            lines.append((False, f"{name}: pip install {name}"))
    return lines


def _devices() -> list[tuple[bool, str]]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lines = [(True, f"cpu: {cores} cores, {torch.get_num_threads()} threads")]
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        lines.append(
            (True, f"cuda:{index}: {torch.cuda.get_device_name(index)}, {free >> 30} of {total >> 30} GiB free")
        )
    if torch.backends.mps.is_available():
        lines.append((True, "mps"))
    if len(lines) == 1:
        lines.append((True, "no accelerator: models run on the CPU"))
    return lines


def _embedded() -> list[tuple[bool, str]]:
    from gnomon.models import smollm2
    from gnomon.tasks import _gpt2

    source = smollm2.source()
    return [
        (source is not None, f"smollm2: {'installed' if source else smollm2.INSTALL}"),
        (_gpt2.available(), f"GPT-2 vocabulary (official MMLU): {'installed' if _gpt2.available() else _gpt2.INSTALL}"),
    ]


def _caches() -> list[tuple[bool, str]]:
    from gnomon.files import cache_folder

    folder = cache_folder()
    free = shutil.disk_usage(_existing(folder)).free >> 30
    hub = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return [
        (True, f"gnomon: {folder} ({_size(folder)}; {free} GiB free) - another place: GNOMON_CACHE"),
        (
            True,
            f"hub: {hub} ({_size(hub)}){', offline' if os.environ.get('HF_HUB_OFFLINE') else ''} - another "
            "place: HF_HOME",
        ),
    ]


def _data() -> list[tuple[bool, str]]:
    from gnomon.tasks import registry, task_named
    from gnomon.tasks._sources import candidates

    root = os.environ.get("GNOMON_DATA")
    lines = [
        (
            bool(root),
            f"GNOMON_DATA={root}"
            if root
            else "GNOMON_DATA is not set: export GNOMON_DATA=FOLDER to find data without -T data=...",
        )
    ]
    for name in registry.names():
        finder = task_named(name).finder
        if finder.embedded:
            lines.append((True, f"{name}: embedded"))
            continue
        folder = next((path for path in candidates(name) if finder.fits(path)), None)
        where = f"or from the hub ({finder.hub.id})" if finder.hub else ""
        lines.append(
            (folder is not None, f"{name}: {folder}" if folder else f"{name}: -T data=FOLDER {where} - {finder.layout}")
        )
    return lines


def _programs() -> list[tuple[bool, str]]:
    wanted = {
        "chromium": "chromium, for the browser tests only: apt-get install chromium",
        "chromedriver": "chromedriver, for the browser tests only: apt-get install chromium-driver",
    }
    found = [(shutil.which(name) is not None, shutil.which(name) or words) for name, words in wanted.items()]
    return [_jail(), *found]


def _jail() -> tuple[bool, str]:
    """The jail that programs would run in; it is really started."""
    from gnomon.sandbox import find_jail

    try:
        return True, f"jail for programs: {find_jail().describe()}"
    except UsageError as error:
        return False, str(error)


def _existing(path: Path) -> Path:
    return next(parent for parent in [path, *path.parents] if parent.exists())


def _size(folder: Path) -> str:
    if not folder.exists():
        return "empty"
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return f"{size / 2**30:.1f} GiB"
