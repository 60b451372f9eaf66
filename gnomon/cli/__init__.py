"""The command line: one file a verb, imported when it is used, so that `gnomon --help` is quick.

Belongs here: the group of verbs and how errors reach a user. Does not belong here: any verb, or anything that computes.
"""

from __future__ import annotations

import importlib
import sys

import click

from gnomon.errors import GnomonError
from gnomon.registry import did_you_mean

__all__ = ["main"]

_VERBS = {
    "quickstart": "Try gnomon: the embedded model on the embedded facts.",
    "eval": "What can a model do? Benchmarks with intervals and a report.",
    "probe": "What does a model know inside? Found without labels, and said only when identified.",
    "supervise": "Could a weaker overseer bring it out? Weak-to-strong generalisation.",
    "explain": "What did it look at? Features tested with a bound on false discoveries.",
    "stream": "How little memory is enough to learn it? An SVM from one pass, with a certificate.",
    "adapt": "Will it hold when the data shift? Feature alignment, and when not to use it.",
    "compare": "Two runs on the same items: where do they really differ?",
    "report": "One HTML page from one or more runs.",
    "ls": "List tasks, models, probes, losses, shifts, variants or runs.",
    "doctor": "What is installed, what is missing, and how to get it.",
}


class _Verbs(click.Group):
    """Loads a verb's module only when it is called; help texts stand in `_VERBS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"gnomon.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _VERBS:
            hint = did_you_mean(args[0], _VERBS)
            raise click.UsageError(
                f"gnomon has no command '{args[0]}'. {hint} Known: {', '.join(_VERBS)}.".replace("  ", " ")
            )
        return super().resolve_command(ctx, args)


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gnomon", prog_name="gnomon")
def _gnomon() -> None:
    """gnomon: say what a model can do, and whether to believe it.

    \b
    gnomon quickstart
    gnomon eval mmlu -m hf/EleutherAI/pythia-160m -T subsets=anatomy,virology --limit 50
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line. Our errors are one sentence and exit status 2; an interruption is 130; a traceback is a
    bug of ours."""
    try:
        status = _gnomon.main(args=args, prog_name="gnomon", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        sys.exit(2)
    except GnomonError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted. What was answered is kept: give the same command again to go on.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, for example `| head`
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)
