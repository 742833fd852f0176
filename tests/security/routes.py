"""The table of routes: who gets past the door of each, and which service answers it."""

import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import FastAPI

from services import embedded
from services.classify import app as classify
from services.ingest import app as ingest
from services.ingest.preview import documents
from services.ingest.room import Room
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.search import app as search
from services.search.index.embedded import TantivyIndex

OPEN = "none submit read administer"

ADMITS = {
    "GET /openapi.json": OPEN,
    "GET /health/live": OPEN,
    "GET /health/ready": OPEN,
    "GET /metrics": OPEN,
    "GET /static/{name}": OPEN,
    "GET /connexion": OPEN,
    "POST /connexion": OPEN,
    "POST /deconnexion": OPEN,
    "POST /api/v1/sign-in-links": "submit read administer",
    "GET /": "read",
    "GET /fils": "read",
    "GET /notes/{note_id}": "read submit",
    "GET /notes/{note_id}/revisions": "read submit",
    "GET /feeds/{path:path}": "read",
    "HEAD /feeds/{path:path}": "read",
    "GET /api/v1/me": "submit read administer",
    "GET /api/v1/search": "read",
    "GET /api/v1/missing-references": "read",
    "GET /api/v1/corrections": "read",
    "GET /api/v1/notes": "submit administer",
    "POST /api/v1/notes": "submit",
    "GET /api/v1/notes/{note_id}": "read submit",
    "PUT /api/v1/notes/{note_id}": "submit",
    "DELETE /api/v1/notes/{note_id}": "submit",
    "GET /api/v1/notes/{note_id}/trace": "read submit",
    "GET /api/v1/notes/{note_id}/revisions": "read submit",
    "GET /api/v1/notes/{note_id}/original": "read submit",
    "GET /api/v1/notes/{note_id}/cover": "read submit",
    "POST /api/v1/notes/{note_id}/corrections": "read",
    "POST /api/v1/notes/{note_id}/expunge": "administer",
    "POST /api/v1/preview": "read submit",
    "POST /api/v1/reclassify": "administer",
    "POST /api/v1/index/rebuild": "administer",
    "GET /api/v1/journal": "administer",
    "GET /api/v1/journal/verify": "administer",
    "GET /api/v1/keys": "administer",
    "POST /api/v1/keys": "administer",
    "POST /api/v1/keys/{number}/rotate": "administer",
    "DELETE /api/v1/keys/{number}": "administer",
    "GET /api/v1/dead-letters": "administer",
    "GET /api/v1/dead-letters/{number}": "administer",
    "POST /api/v1/dead-letters/replay": "administer",
    "POST /api/v1/dead-letters/{number}/replay": "administer",
}
"""By route, who is admitted; what the caller then may do there is its route's."""

STARTS_A_RUN = {"POST /api/v1/reclassify", "POST /api/v1/index/rebuild"}
WANTS_A_FORM = {"POST /connexion"}
"""Says 403 to what is not its own form, with whatever key."""
NOT_ASKED = STARTS_A_RUN | WANTS_A_FORM
"""Not asked of those who may: their own tests do."""


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of all that the application answers; HEAD only where it stands alone."""

    def of(routes: list[Any]) -> Iterator[tuple[str, str]]:
        for route in routes:
            if hasattr(route, "original_router"):
                yield from of(route.original_router.routes)
                continue
            for method in route.methods:
                if method != "HEAD" or "GET" not in route.methods:
                    yield method, route.path

    return of(app.routes)


@cache
def served_by(name: str) -> frozenset[str]:
    """The routes of the embedded deployment, or of one service of the distributed one, as its own
    composition root has them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder))
        registry = Registry(settings.registry_url)
        log = SqliteLog(settings.data / "log.sqlite3")
        match name:
            case "ingest":
                app = ingest.compose(registry, log, settings)
            case "classify":
                reader = documents(Room(settings.documents_bytes), settings)
                app = classify.compose(log, registry, reader, settings)
            case "search":
                app = search.compose(TantivyIndex(settings.data / "index"), registry, log, settings)
            case _:
                app = embedded.create(settings)
        registry.close()
        return frozenset(f"{method} {path}" for method, path in routes_of(app))


def filled(path: str) -> str:
    """The path with something in each of its places."""
    some = {"note_id": unknown_id(), "number": "999999", "path:path": "all.atom", "name": "x.css"}
    return re.sub(r"\{([^}]+)\}", lambda place: some[place[1]], path)


def unknown_id() -> str:
    """Of no note."""
    return str(uuid4())
