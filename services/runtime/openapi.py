"""`/openapi.json`: the application's OpenAPI document, as bytes that are made once."""

from functools import cache

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

PATH = "/openapi.json"


def install(app: FastAPI) -> None:
    """Answer the document in the place of the framework's own route, which makes it of 5 to 20 ms
    of work each time, for anybody.

    It is made when first asked for: whatever adapts `app.openapi` may come later. Needs an
    application that was made with `openapi_url=None`.
    """

    @cache
    def document() -> bytes:
        return bytes(JSONResponse(app.openapi()).body)

    async def answer(_: Request) -> Response:
        return Response(document(), media_type="application/json")

    app.add_route(PATH, answer, include_in_schema=False)
