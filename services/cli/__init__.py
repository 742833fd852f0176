"""The `valise` command: submit, search, trace and correct from a terminal; classify, serve, run…

Client commands speak HTTP to `VALISE_URL`. Exit codes: 0 done; 1 something was refused or not
found; 2 wrong use; 3 the service cannot be reached.
"""

import os
import sys
from collections.abc import Mapping
from typing import NoReturn

from services.cli import (
    backup,
    classify,
    correct,
    corrections,
    dead_letters,
    expunge,
    french,
    journal,
    keys,
    login,
    provision,
    rebuild,
    reclassify,
    revise,
    search,
    serve,
    submit,
    trace,
)
from services.cli.client import Unreachable
from services.cli.terminal import guard, say
from services.runtime import logs, private
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.inspection import refuse_inspection
from services.runtime.reasons import reason
from services.runtime.settings import Settings, check_names

app = french.App(
    name="valise",
    help="Valise : les notes des conseillers pour les affaires sociales.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("submit")(submit.submit)
app.command("search")(search.search)
app.command("trace")(trace.trace)
app.command("correct")(correct.correct)
app.command("rectify")(revise.rectify)
app.command("withdraw")(revise.withdraw)
app.add_typer(corrections.app, name="corrections")
app.command("classify")(classify.classify)
app.command("reclassify")(reclassify.reclassify)
app.command("rebuild")(rebuild.rebuild)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(keys.app, name="keys")
app.command("login")(login.login)
app.add_typer(journal.app, name="journal")
app.command("expunge")(expunge.expunge)
app.command("serve")(serve.serve)
app.command("run")(serve.run)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("provision")(provision.provision)


def main() -> NoReturn:
    """Run the command and end the process with its exit code."""
    refuse_inspection()  # keys and passwords are in the environment
    try:
        private.write_for_owner_alone()
        guard()
        set_up_logging(os.environ)
        code = french.run(app)
        sys.stdout.flush()
    except Misconfigured as error:
        fail(str(error), 2)
    except (Unreachable, Unavailable) as error:
        fail(str(error), 3)
    except BrokenPipeError:
        # The reader of our output went away (`valise search … | head`): nothing to say to it.
        leave_unsaid()
        sys.exit(1)
    except OSError as error:
        leave_unsaid()
        fail(" : ".join(filter(None, (error.filename and str(error.filename), reason(error)))), 1)
    sys.exit(code)


def leave_unsaid() -> None:
    """Have what could not be written to standard output dropped, not tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def set_up_logging(env: Mapping[str, str]) -> None:
    """Log to standard error, with the zone in every time. Raises Misconfigured."""
    check_names(env)
    names = ("VALISE_LOG_LEVEL", "VALISE_LOG_FORMAT")
    settings = Settings.from_env({name: env.get(name, "") for name in names})
    logs.set_up(settings.log_level, settings.log_format or "text")


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong on standard error and end with that code."""
    say(f"valise : {message}", err=True)
    sys.exit(code)
