"""`crates`: every command that a person types. Each imports what it needs when it runs, so that all start fast."""

import logging
import os
import sys
from dataclasses import replace
from typing import Any

import click

from cli import interrupts
from cli.errors import CommandFailed, Interrupted, OutputClosed
from cli.terminal import one_line, prepare_streams, print_error
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.common.settings import Settings

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BENCHMARKS = {"features": "features", "cache": "cache", "enrichment": "enrichment", "full": "full_size"}
PORT = click.IntRange(1, 65535)


class Group(click.Group):
    """A group of commands in the order of their definition."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None
        except BrokenPipeError:
            raise OutputClosed from None


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-V", "--version", package_name="rust-crate-pipeline", message="crates %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.pass_context
def crates(context: click.Context, debug: bool) -> None:
    """Answers about the crates of crates.io: scores, known problems, and who has to act.

    Start with `crates demo`. All that is written goes to the folder $CRATES_DATA.
    """
    context.obj = debug
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


@crates.command()
@click.option("--model", metavar="NAME", help="Let a language model write the summaries (see `crates model fetch`).")
@click.option("--again", is_flag=True, help="Run everything again, also what is up to date.")
def demo(model: str | None, again: bool) -> None:
    """Run the whole pipeline on the registry that comes with this project (three minutes)."""
    from cli.demo import run_demo

    settings = Settings.from_env()
    run_demo(replace(settings, model=model) if model else settings, again)


@crates.command()
@click.option("--again", is_flag=True, help="Run everything again, also what is up to date.")
def refresh(again: bool) -> None:
    """Fetch today's crates.io and bring everything up to it, from nothing to scores.

    Set CRATES_CONTACT to an address at which crates.io can reach you.
    """
    from cli.refresh import run_refresh

    run_refresh(Settings.from_env(), again)


@crates.command()
@click.option("--again", is_flag=True, help="Run everything again, also what is up to date.")
def backtest(again: bool) -> None:
    """Test the predictor on every date of the past that can be tested, and write docs/backtest.md."""
    from cli.backtest import run_backtest

    run_backtest(Settings.from_env(), again)


@crates.command()
@click.argument("name")
@click.option("--why", is_flag=True, help="Show all evidence, ranges and what would change a score.")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON.")
def show(name: str, why: bool, as_json: bool) -> None:
    """Show the scores and known problems of the crate NAME."""
    from cli.show import show_crate

    show_crate(Settings.from_env(), name, why, as_json)


@crates.command()
@click.argument("query", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON array.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
def sql(query: str | None, as_json: bool, as_csv: bool) -> None:
    """Run QUERY on the tables, or open a SQL shell (DuckDB) on them.

    Example: crates sql "from scores where name = 'serde'"
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if query is None and (as_json or as_csv):
        raise click.UsageError("--json and --csv need a QUERY")
    from cli.sql import open_shell, run_query

    if query is None:
        open_shell(Settings.from_env())
    else:
        run_query(Settings.from_env(), query, "json" if as_json else "csv" if as_csv else "text")


@crates.command()
@click.option("--port", type=PORT, default=3000, show_default=True, help="Port on 127.0.0.1.")
@click.option("--empty", is_flag=True, help="Open it although there are no tables yet.")
def ui(port: int, empty: bool) -> None:
    """Open the Dagster UI: the lineage, the runs, the checks and the plots."""
    from cli.ui import serve_dagster

    serve_dagster(Settings.from_env(), port, empty)


@crates.command()
@click.option("--port", type=PORT, default=5000, show_default=True, help="Port on 127.0.0.1.")
def mlflow(port: int) -> None:
    """Open MLflow on the runs that trained and tested the models."""
    from cli.mlflow_ui import serve_mlflow

    serve_mlflow(Settings.from_env(), port)


@crates.group(cls=Group)
def model() -> None:
    """The language model that can write summaries."""


@model.command()
@click.argument("name", required=False)
def fetch(name: str | None) -> None:
    """Fetch the language model NAME from its publisher and check it."""
    from cli.fetch_model import fetch_and_report

    fetch_and_report(Settings.from_env(), name)


@crates.command(context_settings={"ignore_unknown_options": True})
@click.argument("benchmark", type=click.Choice(list(BENCHMARKS)))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(benchmark: str, arguments: tuple[str, ...]) -> None:
    """Time a part of the pipeline beside named peers and limits.

    ARGUMENTS go to the benchmark: `--model NAME` to enrichment, `--scales 0.1,1.0` to full.
    """
    from cli.processes import run_benchmark

    run_benchmark(BENCHMARKS[benchmark], *arguments)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Returns 0 for success, 1 for an error, 2 for wrong usage and 130 after Ctrl-C."""
    prepare_streams()
    interrupts.watch()
    debug = "--debug" in (sys.argv[1:2] if arguments is None else arguments[:1])
    try:
        code = crates.main(arguments, prog_name="crates", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (BadInput, CannotWrite, SourceUnreachable, CommandFailed) as error:
        print_error(str(error))
        return 1
    except (Interrupted, KeyboardInterrupt, click.Abort):
        print("interrupted; run again to go on", file=sys.stderr)
        return INTERRUPTED
    except (OutputClosed, BrokenPipeError):
        # its reader has enough; the interpreter would complain when it flushes stdout at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        print_error(f"unexpected {type(error).__name__}: {one_line(str(error))} (`crates --debug …` shows where)")
        return 1


if __name__ == "__main__":
    sys.exit(main())
