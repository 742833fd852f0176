"""Who is reading: the reader that every search of this service is run for."""

from fastapi import Request

from schemas.access import Role
from schemas.query import Reader
from services.runtime.access.gate import caller_of


async def reader_of(request: Request) -> Reader:
    """The reader on whose behalf a request is answered.

    Raises ProblemError (401, 403) for whoever may not read, Unavailable.
    """
    return (await caller_of(request, Role.READ)).reader
