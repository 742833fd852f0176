"""Who gets past the door of each route: a table that a new route must be written into."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from services import embedded
from services.runtime.settings import Settings
from tests.security.conftest import RIGHTS, Target, unknown_id

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


def filled(path: str) -> str:
    """The path with something in each of its places."""
    some = {"note_id": unknown_id(), "number": "999999", "path:path": "all.atom", "name": "x.css"}
    return re.sub(r"\{([^}]+)\}", lambda place: some[place[1]], path)


def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    app = embedded.create(Settings(data=tmp_path))
    assert sorted(f"{method} {path}" for method, path in routes_of(app)) == sorted(ADMITS)


@pytest.mark.parametrize("who", RIGHTS)
def test_a_caller_gets_past_the_doors_of_its_roles_and_no_other(target: Target, who: str) -> None:
    key = target.key(who)
    for route, admitted in ADMITS.items():
        method, path = route.split()
        may = who in admitted.split() or who == "all"
        if may and route in NOT_ASKED:
            continue
        answer = target.client.request(method, filled(path), headers=key)
        if may:
            assert answer.status_code not in (401, 403, 405, 500), (route, answer.text)
        else:
            assert answer.status_code == (401 if who == "none" else 403), (route, answer.text)
