"""The cookies of the pages: kept by the browser from scripts, from other sites, from plain http."""

from dataclasses import dataclass

from fastapi import Request, Response


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie: over TLS its name begins with `__Host-`, so that no other host can set it."""

    purpose: str
    secure: bool

    @property
    def name(self) -> str:
        """Its name. On one machine without TLS browsers take no such prefix."""
        return f"__Host-{self.purpose}" if self.secure else self.purpose

    def read(self, request: Request) -> str | None:
        """What the browser has of it."""
        return request.cookies.get(self.name) or None

    def put(self, response: Response, value: str, seconds: int | None = None) -> None:
        """Have the browser keep it, by default until it is closed."""
        response.set_cookie(
            self.name,
            value,
            max_age=seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def drop(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self.name, path="/", secure=self.secure, httponly=True, samesite="lax"
        )
