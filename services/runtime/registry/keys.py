"""API keys in the registry: what each may do, and the hash of its secret.

Read and written within the transactions of `store`. What was revoked or has expired stays, so that
the journal's entries can be understood.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from schemas.access import Caller, KeyOrder, KeyView, Rights, Role
from schemas.vocabulary import Marking
from services.runtime.registry.tables import keys


class LastAdministrator(Exception):
    """Without this key none would be left that administers."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it is kept: what is shown of it, and the hash of its secret."""

    view: KeyView
    hash: str

    def holds(self, now: datetime) -> bool:
        """Whether it may be used at that moment."""
        return self.view.holds(now)

    @property
    def caller(self) -> Caller:
        """Who asks with this key."""
        return caller_with(self.view)


def caller_with(key: KeyView) -> Caller:
    """Who asks with that key."""
    return Caller(
        id=f"key:{key.number}",
        name=key.name,
        roles=key.rights.roles,
        posts=key.rights.posts,
        reader=key.rights.reader(key.name),
    )


def add(
    connection: sa.Connection, order: KeyOrder, label: str, secret_hash: str, at: datetime
) -> KeyView:
    """Keep a new key."""
    rights = order.rights
    number = connection.execute(
        sa.insert(keys)
        .values(
            label=label,
            hash=secret_hash,
            name=order.name,
            roles=_joined(rights.roles),
            posts=_joined(rights.posts),
            clearance=rights.clearance,
            special_france=rights.special_france,
            created_at=at,
            expires_at=order.expires_at,
        )
        .returning(keys.c.id)
    ).scalar_one()
    return _view(connection.execute(sa.select(keys).where(keys.c.id == number)).one())


def by_label(connection: sa.Connection, label: str) -> KeyRow | None:
    """The key with that label; None where there is none."""
    row = connection.execute(sa.select(keys).where(keys.c.label == label)).first()
    return None if row is None else key_row(row)


def by_number(connection: sa.Connection, number: int) -> KeyView | None:
    """The key with that number; None where there is none."""
    row = connection.execute(sa.select(keys).where(keys.c.id == number)).first()
    return None if row is None else _view(row)


def listed(connection: sa.Connection) -> Sequence[KeyView]:
    """All keys, the newest first."""
    return [_view(row) for row in connection.execute(sa.select(keys).order_by(keys.c.id.desc()))]


def end(connection: sa.Connection, number: int, at: datetime, *, revoked: bool) -> None:
    """The key holds no longer than until that moment; revoked: it never holds again.

    What ended it before stays: a key that has expired is not brought back.
    """
    column = keys.c.revoked_at if revoked else keys.c.expires_at
    connection.execute(
        sa.update(keys)
        .where(keys.c.id == number, sa.or_(column.is_(None), column > at))
        .values({column.name: at})
    )


def is_last_administrator(connection: sa.Connection, number: int, at: datetime) -> bool:
    """Whether of all keys that hold at that moment only this one administers.

    Whoever ends another one meanwhile waits for this transaction.
    """
    rows = connection.execute(sa.select(keys).order_by(keys.c.id).with_for_update())
    views = map(_view, rows)
    return [
        view.number for view in views if Role.ADMINISTER in view.rights.roles and view.holds(at)
    ] == [number]


def used(connection: sa.Connection, number: int, at: datetime) -> None:
    """The key was used at that moment."""
    connection.execute(
        sa.update(keys)
        .where(keys.c.id == number, sa.or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < at))
        .values(last_used_at=at)
    )


def any_administers(connection: sa.Connection) -> bool:
    """Whether a key was ever made that administers."""
    rows = connection.execute(sa.select(keys.c.roles))
    return any(Role.ADMINISTER in _parted(row.roles) for row in rows)


def first_hash(connection: sa.Connection) -> str | None:
    """The hash of the first key ever made; None where there is none."""
    found: str | None = connection.scalar(sa.select(keys.c.hash).order_by(keys.c.id).limit(1))
    return found


def key_row(row: Any) -> KeyRow:
    """The key in a row of the table."""
    return KeyRow(_view(row), row.hash)


def _view(row: Any) -> KeyView:
    return KeyView(
        number=row.id,
        name=row.name,
        rights=Rights(
            roles=frozenset(map(Role, _parted(row.roles))),
            posts=frozenset(_parted(row.posts)),
            clearance=Marking(row.clearance),
            special_france=row.special_france,
        ),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _joined(words: frozenset[Any]) -> str:
    return " ".join(sorted(str(word) for word in words))


def _parted(text: str) -> list[str]:
    return text.split()
