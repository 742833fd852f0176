"""`valise run`: each service by itself, on Kafka, Elasticsearch and PostgreSQL.

What one service needs of another's code it is handed here, as in `services.embedded`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fastapi import FastAPI

from services.runtime.log.kafka import KafkaLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings


def ingest(settings: Settings) -> FastAPI:
    """The application of `valise run ingest`. Raises Misconfigured."""
    from services.ingest import app  # noqa: PLC0415  (each service loads what it needs, no more)

    return app.compose(Registry(settings.registry_url), KafkaLog(settings), settings)


def classify(settings: Settings) -> FastAPI:
    """The application of `valise run classify`, which reads documents for previews as ingest does.
    Raises Misconfigured."""
    from services.classify import app  # noqa: PLC0415
    from services.ingest import preview  # noqa: PLC0415
    from services.ingest.formats.turns import Turns  # noqa: PLC0415
    from services.ingest.room import Room  # noqa: PLC0415

    # No submission comes here: previews have all turns.
    room = Room(settings.documents_bytes, Turns(for_submissions=False))
    documents = preview.documents(room, settings)
    return app.compose(KafkaLog(settings), Registry(settings.registry_url), documents, settings)


def search(settings: Settings) -> FastAPI:
    """The application of `valise run search`. Raises Misconfigured."""
    from services.search import app  # noqa: PLC0415
    from services.search.index.elastic import ElasticIndex  # noqa: PLC0415

    index = ElasticIndex(settings)
    return app.compose(index, Registry(settings.registry_url), KafkaLog(settings), settings)


APPLICATIONS: Mapping[str, Callable[[Settings], FastAPI]] = MappingProxyType(
    {"ingest": ingest, "classify": classify, "search": search}
)
