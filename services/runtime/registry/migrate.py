"""Bringing the registry's tables up to date, by whichever service comes first."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from services.runtime.errors import Misconfigured

SCRIPTS = Path(__file__).parent / "migrations"

_LOCK_KEY = 0x56414C495345
"""Number of the advisory lock ("VALISE" in ASCII)."""
_LOCK_SECONDS = 60
"""How long a service waits while another migrates."""

_one_at_a_time = threading.Lock()
"""Alembic keeps its context in module globals."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return config


def head() -> str:
    """The revision that this release of the code needs."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise RuntimeError("the wheel was built without its migrations")
    return found


def current(connection: Connection) -> str | None:
    """The revision that the database has; None where there are no tables yet."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection) -> None:
    """Bring the tables up to date, within the given write transaction: all of it or nothing.

    Several services may do so at once: on PostgreSQL an advisory lock lets one in, on SQLite the
    write transaction already did. Raises Misconfigured when a newer release made the tables.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL statement_timeout = '{_LOCK_SECONDS}s'"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    config = _config()
    config.attributes["connection"] = connection
    with _one_at_a_time:
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise Misconfigured(
                "le registre a été écrit par une version plus récente de Valise : employer celle-là"
            ) from None
