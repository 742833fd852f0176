"""Keys for tests: one that may do everything, and any other, made in a registry."""

from datetime import UTC, datetime
from typing import Any

from schemas.access import Caller, KeyOrder, Rights, Role
from services.runtime.access import keys
from services.runtime.access.first import ORDER
from services.runtime.registry import Registry

SECRET = keys.Secret("0123456789abcdef", "A" * 43)
"""Of the key that may do everything."""

HEADERS = {"Authorization": f"Bearer {SECRET}"}


def admit_everything(registry: Registry) -> None:
    """Have the registry, whose tables are made here, know the key of HEADERS."""
    registry.migrate()
    if registry.key(SECRET.label) is None:
        registry.add_key(ORDER, SECRET.label, SECRET.hash, datetime.now(UTC))


def a_key(registry: Registry, *roles: Role, **rights: Any) -> dict[str, str]:
    """The headers of a new key with these roles; posts, clearance, special_france can be given."""
    secret = keys.new()
    given = Rights(roles=frozenset(roles), **rights)
    order = KeyOrder(name=f"test {' '.join(roles)}", rights=given)
    registry.add_key(order, secret.label, secret.hash, datetime.now(UTC))
    return {"Authorization": f"Bearer {secret}"}


def a_caller(*roles: Role, name: str = "test", **rights: Any) -> Caller:
    """A caller with these roles; everything without any."""
    given = Rights(roles=frozenset(roles), **rights) if roles else ORDER.rights
    return Caller(
        id="key:1",
        name=name,
        roles=given.roles,
        posts=given.posts,
        reader=given.reader(name),
    )


ANYONE_READS = a_caller(Role.READ)
"""A reader of what bears no mark."""
