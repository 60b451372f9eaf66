"""`gnomon adapt`. Belongs here: flags and what is printed. The study is in `shift/`."""

from __future__ import annotations

import click

from gnomon.cli._ending import end, names_in, typed
from gnomon.cli._options import json_option, key_values, runs_dir_option


@click.command("adapt")
@click.argument("data")
@click.option(
    "-m",
    "--model",
    default="small",
    show_default=True,
    help="small (trained here in seconds; small/SET on another set), cifar10/resnet20, torchvision/NAME, timm/NAME.",
)
@click.option("-M", "model_args", multiple=True, callback=key_values, metavar="KEY=VALUE", help="Model argument.")
@click.option(
    "-T", "task_args", multiple=True, callback=key_values, metavar="KEY=VALUE", help="Argument of the image set: data."
)
@click.option(
    "--shifts",
    help="Joined by commas, with settings as in border@size=8 (see  gnomon ls shifts ); corruptions: all fifteen; all: "
    "these, border, rotation, colour.",
)
@click.option("--severities", default="1,3,5", show_default=True, help="Of corruptions without settings, 1 to 5.")
@click.option(
    "--variants",
    help="Joined by commas, with settings as in mix@N=256 (see  gnomon ls variants ); by default source, batch, mix, "
    "whole, early, matched.",
)
@click.option("--limit", type=click.IntRange(min=2), default=1000, show_default=True, help="Test images, at most.")
@click.option("--batch", "batch_size", type=click.IntRange(min=1), default=200, show_default=True, help="Batch size.")
@click.option(
    "--source",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Images of the source, at most, that shifts are measured against and matched moments aim at.",
)
@click.option("--resize", is_flag=True, help="Bring images to the network's size.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Fixes every draw.")
@runs_dir_option
@json_option
def command(
    data: str,
    model: str,
    shifts: str | None,
    severities: str,
    variants: str | None,
    as_json: bool,
    **given: object,
) -> int:
    """Will it hold when the data shift, and does aligning its statistics help? DATA is an image set: digits, cifar10,
    mnist, usps, folder.

    \b
    gnomon adapt digits
    gnomon adapt cifar10 -m cifar10/resnet20 --shifts corruptions --severities 1,2,3,4,5
    gnomon adapt cifar10 -m cifar10/resnet56 --shifts none,border@size=8,labels@classes=3 --variants whole,prior,oracle
    gnomon adapt mnist --shifts none,domain@to=usps
    gnomon adapt folder -T data=PHOTOS -T side=32 -m cifar10/resnet20 --shifts none
    """
    from gnomon.cli._progress import bars
    from gnomon.shift._plan import SHIFTS
    from gnomon.shift._study import adapt

    with bars(data, enabled=not as_json) as progress:
        run = adapt(
            data,
            model,
            shifts=SHIFTS if shifts is None else names_in(shifts),
            severities=_numbers(severities),
            variants=None if variants is None else names_in(variants),
            progress=progress,
            command=typed(),
            **given,  # type: ignore[arg-type]
        )
    return end(run, as_json)


def _numbers(text: str) -> list[int]:
    try:
        return [int(one) for one in names_in(text)]
    except ValueError:
        raise click.UsageError(f"--severities {text}: write whole numbers from 1 to 5, joined by commas.") from None
