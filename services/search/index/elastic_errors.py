"""What Elasticsearch's client raises, sorted by what to do about it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from elastic_transport import TransportError
from elasticsearch import ApiError, NotFoundError

from services.runtime.errors import Unavailable
from services.search.index.elastic_setup import reason

REFUSED = (401, 403)
_TRANSIENT = 500
_TOO_MANY = 429


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """What the client raises, sorted by what to do about it: wait, or it is a mistake of ours."""
    try:
        yield
    except TransportError as error:
        raise Unavailable(f"Elasticsearch does not answer: {error.message}") from error
    except NotFoundError as error:
        raise Unavailable(f"the index is missing: {reason(error)}") from error
    except ApiError as error:
        # 401 and 403 too: a password that is being changed passes by itself, and parks nothing.
        if error.status_code >= _TRANSIENT or error.status_code in (_TOO_MANY, *REFUSED):
            raise Unavailable(
                f"Elasticsearch answers {error.status_code}: {reason(error)}"
            ) from error
        raise
