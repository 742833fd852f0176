"""Problems, ids and the OpenAPI document: what ingest shares with other services."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query
from hypothesis import given
from hypothesis import strategies as st

from schemas.answers import Problem
from services.runtime import problems
from services.runtime.errors import Unavailable
from services.runtime.ids import uuid7
from tests.ingest.conftest import BERLIN, Office


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    problems.install(app)

    @app.get("/page")
    async def page(size: Annotated[int, Query(ge=1, le=100)], until: datetime) -> int:
        return size

    @app.get("/away")
    async def away() -> None:
        raise Unavailable("broker 7 is on fire", retry_after=9)

    @app.get("/ours")
    async def ours() -> None:
        raise problems.ProblemError(
            410, "Curseur expiré", "Recommencez la recherche.", headers={"X-Test": "1"}
        )

    @app.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError("hemlig")

    return app


async def get(app: FastAPI, path: str) -> tuple[httpx.Response, Problem]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://valise") as client:
        response = await client.get(path)
    assert response.headers["Content-Type"] == "application/problem+json"
    return response, Problem.model_validate_json(response.content)


async def test_a_wrong_parameter_is_named_in_french(app: FastAPI) -> None:
    response, found = await get(app, "/page?size=900&until=demain")
    assert response.status_code == 422
    assert found.errors == [
        {"field": "size", "detail": "doit être au plus 100"},
        {"field": "until", "detail": "date et heure non valides (ISO 8601)"},
    ]


async def test_a_missing_parameter_is_named(app: FastAPI) -> None:
    _, found = await get(app, "/page?size=3")
    assert found.errors == [{"field": "until", "detail": "champ obligatoire"}]


async def test_an_outage_says_when_to_come_back_and_not_why(app: FastAPI) -> None:
    response, found = await get(app, "/away")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "9"
    assert "broker" not in found.detail


async def test_a_problem_of_our_own_is_answered_as_it_is(app: FastAPI) -> None:
    response, found = await get(app, "/ours")
    assert (found.status, found.title) == (410, "Curseur expiré")
    assert response.headers["X-Test"] == "1"
    assert "errors" not in response.json()


async def test_a_bug_is_no_news_to_the_reader(app: FastAPI) -> None:
    response, found = await get(app, "/bug")
    assert (response.status_code, found.title) == (500, "Erreur interne")
    assert "hemlig" not in response.text


async def test_the_document_shows_requests_and_every_answer(office: Office) -> None:
    document = (await office.client.get("/openapi.json")).json()
    post = document["paths"]["/api/v1/notes"]["post"]
    assert set(post["responses"]) == {
        "200",
        "202",
        "400",
        "401",
        "403",
        "408",
        "409",
        "413",
        "414",
        "415",
        "422",
        "429",
        "503",
    }
    known = document["components"]["schemas"]
    for used in re.findall(r'"#/components/schemas/(\w+)"', str(document).replace("'", '"')):
        assert used in known
    assert "$defs" not in str(post)
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["required"]) == set(BERLIN)
    assert schema["examples"][0]["post"] == "berlin"


class TestIds:
    @given(st.integers(0, 2**48 - 1), st.integers(0, 999_999))
    def test_an_id_tells_its_moment(self, milliseconds: int, rest: int) -> None:
        found = uuid7(milliseconds * 1_000_000 + rest)
        assert (found.version, found.variant) == (7, "specified in RFC 4122")
        assert found.int >> 80 == milliseconds

    def test_ids_sort_as_they_were_made(self) -> None:
        moments = [time.time_ns() + step * 1_000 for step in range(200)]
        made = [uuid7(moment) for moment in moments]
        assert made == sorted(made)

    def test_no_two_are_the_same(self) -> None:
        now = int(datetime(2026, 3, 4, tzinfo=UTC).timestamp()) * 10**9
        assert len({uuid7(now) for _ in range(10_000)}) == 10_000
