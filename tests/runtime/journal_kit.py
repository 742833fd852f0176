"""Entries for tests of the journal."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from services.runtime.registry import Draft
from services.runtime.registry.chain import Detail, written


def a_draft(action: str = "read", about: UUID | str = "", **changes: object) -> Draft:
    """Something that the key of the Berlin post did; any field can be given."""
    details: dict[str, Detail] = {"what": "note"}
    fields: dict[str, object] = {
        "id": uuid4(),
        "at": datetime.now(UTC),
        "who": "key:2",
        "name": "Ambassade à Berlin",
        "action": action,
        "object": str(about),
        "details": written(details),
        "address": "127.0.0.1",
    }
    return Draft(**(fields | changes))  # type: ignore[arg-type]
