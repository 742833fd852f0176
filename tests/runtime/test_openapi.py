"""The OpenAPI document is made once, of what adapts it, whenever that was put in place."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from services import embedded
from services.runtime import openapi, problems
from services.runtime.settings import Settings


async def document(app: FastAPI, method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, "/openapi.json")


async def test_the_document_is_made_when_first_asked_for_and_never_again() -> None:
    app = FastAPI(openapi_url=None)
    openapi.install(app)
    problems.install(app)
    documented, made = app.openapi, []

    def counted() -> dict[str, Any]:
        made.append(1)
        return documented()

    app.openapi = counted  # type: ignore[method-assign]
    first, second = await document(app), await document(app)
    assert first.content == second.content == JSONResponse(documented()).body
    assert "Problem" in first.json()["components"]["schemas"]
    assert first.headers["content-type"] == "application/json"
    assert len(made) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_server_answers_all_that_its_application_documents(
    tmp_path: Any, method: str
) -> None:
    app = embedded.create(Settings(data=tmp_path))
    answer = await document(app, method)
    expected = bytes(JSONResponse(app.openapi()).body)
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.content == (expected if method == "GET" else b"")
    assert b'"429"' in expected
    assert b'"401"' in expected
