"""Headers of every answer, that keep it to whom it is for; what an answer says itself stands."""

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.settings import Settings

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}

HSTS = "max-age=31536000"
"""A year, as the reverse proxy of the compose file says; for this name alone, not those below."""

CALLER = "Authorization, Cookie"
"""What an answer depends on that is not for everybody."""


def install(app: FastAPI, settings: Settings) -> None:
    """Put the headers on all answers of the application, those of its failures too."""
    headers = dict(ALWAYS)
    if settings.public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = HSTS
    built = app.build_middleware_stack
    # Not a middleware like others: what answers 500 stands outside of those.
    app.build_middleware_stack = lambda: _Headed(built(), headers)  # type: ignore[method-assign]


class _Headed:
    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if "public" not in headers["Cache-Control"]:
                    headers.add_vary_header(CALLER)
            await send(message)

        await self._app(scope, receive, headed if scope["type"] == "http" else send)
