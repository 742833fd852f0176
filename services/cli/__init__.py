"""The `valise` command: submit, search and trace from a terminal, classify, serve, run.

Client commands speak HTTP to `VALISE_URL`. Exit codes: 0 done; 1 something was refused or not
found; 2 wrong use; 3 the service cannot be reached.
"""

import logging
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

import typer

from services.cli import classify, search, serve, submit, trace
from services.cli.client import Unreachable
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.settings import Settings

app = typer.Typer(
    name="valise",
    help="Valise : les notes des conseillers pour les affaires sociales.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("submit")(submit.submit)
app.command("search")(search.search)
app.command("trace")(trace.trace)
app.command("classify")(classify.classify)
app.command("serve")(serve.serve)
app.command("run")(serve.run)


def main() -> NoReturn:
    """Run the command and end the process with its exit code."""
    try:
        set_up_logging(os.environ)
        app()
    except Misconfigured as error:
        fail(str(error), 2)
    except (Unreachable, Unavailable) as error:
        fail(str(error), 3)
    except BrokenPipeError:
        # The reader of our output went away (`valise search … | head`): nothing to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)


def set_up_logging(env: Mapping[str, str]) -> None:
    """Log to standard error, with the zone in every time. Raises Misconfigured."""
    logging.basicConfig(
        level=Settings.from_env({"VALISE_LOG_LEVEL": env.get("VALISE_LOG_LEVEL", "")}).log_level,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        stream=sys.stderr,
    )
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong on standard error and end with that code."""
    print(f"valise : {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
