"""The registry's database: one engine for SQLite or PostgreSQL, and its errors in our words."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.runtime.errors import Busy, Misconfigured, Unavailable
from services.runtime.reasons import away

POOL_SIZE = 8
"""Connections of one process: more would only queue in PostgreSQL, or on SQLite's one writer."""
WAIT_SECONDS = 2
"""For a free connection, for a new one and for a lock, each: together they stay under 5 s."""
BUSY_SECONDS = 0.01
"""Until a file is asked again that another process is about to prepare."""
STATEMENT_MS = 4_000
WRITE = {"registry_begin": "IMMEDIATE"}
"""A deferred SQLite transaction that reads, then writes, fails at once when another has written."""
ONE_STATEMENT = {"registry_begin": None}


class Database:
    """Transactions on the registry's database. Raises Misconfigured for an address it cannot use.

    Nothing is opened before the first transaction.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgresql(self.url)
        self._writer: AbstractContextManager[Any] = (
            _FairLock(WAIT_SECONDS) if self.is_sqlite else nullcontext()
        )
        self._one_statement = self.engine.execution_options(
            **ONE_STATEMENT if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises Unavailable."""
        with _translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """A connection for one statement that reads, without the round trips of a transaction.

        Raises Unavailable.
        """
        with _translated(), self._one_statement.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write, committed at the end. Raises Unavailable."""
        with (
            _translated(),
            self._writer,
            self.engine.execution_options(**WRITE).begin() as connection,
        ):
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


class _FairLock:
    """Lets the writers of this process in one by one, so that they do not poll SQLite's lock."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=self._seconds):
            raise Busy("the registry is busy writing")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _checked(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise Misconfigured(
            "VALISE_DATABASE : une adresse de base est attendue (postgresql://utilisateur@hôte/nom)"
        ) from None
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
        raise Misconfigured("VALISE_DATABASE : un registre SQLite demande un fichier")
    if url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise Misconfigured(
            f"VALISE_DATABASE : {url.drivername} n'est pas pris en charge (postgresql ou sqlite)"
        )
    return url


def _create(url: URL, **options: Any) -> Engine:
    try:
        return create_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=WAIT_SECONDS,
            # A statement that fails must not put a note's text into a log line.
            hide_parameters=True,
            **options,
        )
    except (NoSuchModuleError, ImportError) as error:
        raise Misconfigured(f"VALISE_DATABASE : le pilote n'est pas installé ({error})") from None
    except (ArgumentError, TypeError, ValueError) as error:
        raise Misconfigured(f"VALISE_DATABASE : {error}") from None


def _sqlite(url: URL) -> Engine:
    engine = _create(url, connect_args={"timeout": WAIT_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must begin nothing by itself
        _write_ahead(connection)
        # What was answered must outlive a power cut: a receipt that is forgotten would let other
        # content in under the same revision.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("registry_begin", "DEFERRED")
        if mode is not None:
            connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Have the file keep a write-ahead log. While another process has it do so, SQLite says that it
    is busy and does not wait. Raises sqlite3.OperationalError."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
            time.sleep(BUSY_SECONDS)
        else:
            return


def _postgresql(url: URL) -> Engine:
    engine = _create(
        url,
        pool_pre_ping=True,  # after a restart of the server, dead connections are replaced
        connect_args={"connect_timeout": WAIT_SECONDS, "application_name": "valise"},
    )

    @event.listens_for(engine, "connect")
    def _limit(connection: Any, _record: object) -> None:
        connection.execute(f"SET statement_timeout = {STATEMENT_MS}")
        connection.execute(f"SET lock_timeout = {WAIT_SECONDS * 1_000}")
        connection.execute("SET timezone = 'UTC'")
        connection.commit()

    return engine


_NOT_MIGRATED = {"42P01", "3F000"}
"""PostgreSQL: no such table, no such schema."""
_READ_ONLY = "25006"
_TOO_SLOW = {"57014", "55P03"}
"""PostgreSQL: a statement, or its wait for a lock, took longer than allowed."""


@contextmanager
def _translated() -> Iterator[None]:
    """Raises Unavailable for what may pass by itself; anything else is a bug and stays as it is."""
    try:
        yield
    except PoolTimeout:
        raise Busy("the registry has no free connection") from None
    except DBAPIError as error:
        if not _may_pass(error):
            raise
        kind = Busy if _is_slow(error) else Unavailable
        raise away(f"the registry is away: {reason(error)}", error.orig or error, kind) from error


def _may_pass(error: DBAPIError) -> bool:
    # psycopg files shutdown, time-outs, deadlocks and a full disk under OperationalError, sqlite3
    # a lock, a full disk and a missing table; a damaged file is a plain DatabaseError there.
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(error, InternalError):
        return state == _READ_ONLY
    return state in _NOT_MIGRATED or type(error.orig) is sqlite3.DatabaseError


def _is_slow(error: DBAPIError) -> bool:
    """Whether the database is there and has no time."""
    busy = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
    return busy or getattr(error.orig, "sqlstate", None) in _TOO_SLOW


def reason(error: SQLAlchemyError) -> str:
    """The first line of what the driver says, without SQL and parameters."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__
