"""The note index of the distributed deployment: Elasticsearch, behind two aliases."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from elastic_transport import TlsError, TransportError
from elasticsearch import ApiError, AsyncElasticsearch, JsonSerializer, NotFoundError
from pydantic_core import from_json

from schemas.answers import Highlights, Hit
from schemas.events import ClassifiedNote
from schemas.query import Query, Sort
from services.runtime import tls
from services.runtime.access.rights import sees_every_mark
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.settings import Settings
from services.search.document import OTHER_FIELDS
from services.search.index import (
    CURSOR_MINUTES,
    SNIPPET,
    Applied,
    CursorExpired,
    CursorInvalid,
    Page,
    Rejected,
)
from services.search.index.analysis import FRENCH, OTHER
from services.search.index.cursor import Place, decode, encode, order_of, reading_ends
from services.search.index.elastic_bulk import (
    TEXTS,
    delete_all,
    delete_before,
    whole,
    write_in_turn,
)
from services.search.index.elastic_errors import REFUSED, translated
from services.search.index.elastic_purge import purge
from services.search.index.elastic_query import NOTES_IN_FORCE, search_body
from services.search.index.elastic_rebuild import ElasticRebuilding, begin
from services.search.index.elastic_setup import Names, ensure_index, reason
from services.search.index.facets import FACET_FIELDS, counts
from services.search.index.highlight import tidy
from services.search.index.wanted import Wanted, wanted

SEARCH_SECONDS = 10
PURGE_SECONDS = 3600
"""A forced merge of tens of gigabytes is a matter of many minutes."""
SNAPSHOT_SECONDS = 0.5
"""Searches by relevance that start within this time share a point in time: two a second at most
are alive for ten minutes, however many readers search."""

_KEEP_ALIVE = f"{CURSOR_MINUTES}m"
LENT_SECONDS = CURSOR_MINUTES * 60 * 2
"""How long a point in time is remembered. Elasticsearch keeps it for the longest time that it was
ever asked for, counted from its last use; that may be at the end of a reading."""
_BAD_REQUEST = 400
_HEALTHY = ("green", "yellow")


class ElasticIndex:
    """The index port on Elasticsearch."""

    def __init__(self, settings: Settings) -> None:
        """`settings.elasticsearch` is the address (several, parted by commas).

        Raises Misconfigured where the certificate authority cannot be read.
        """
        self._names = Names(settings.index)
        self._replicas = settings.index_replicas
        self._client = AsyncElasticsearch(
            [address.strip() for address in (settings.elasticsearch or "").split(",")],
            **_access(settings),
            request_timeout=SEARCH_SECONDS,
            serializers={"application/json": _Json()},
            # Whoever calls decides whether and when to try again.
            max_retries=0,
            retry_on_timeout=False,
        )
        self._snapshot: tuple[str, float] | None = None
        self._lent: list[tuple[str, float]] = []
        """Points in time that were opened, and when: each keeps the files that it sees."""
        self._snapshot_lock = asyncio.Lock()
        self._generation = ""

    @property
    def generation(self) -> str:
        """That of the index behind the write alias, as `start` found or made it."""
        return self._generation

    async def start(self) -> None:
        """Create index and aliases where missing. Raises Misconfigured with what is wrong."""
        async with translated():
            try:
                self._generation = await ensure_index(self._client, self._names, self._replicas)
            except TlsError as error:
                raise Misconfigured(
                    f"Elasticsearch's certificate is not trusted (VALISE_ELASTICSEARCH_CA): "
                    f"{error.message}"
                ) from error
            except ApiError as error:
                if error.status_code in REFUSED:
                    raise Misconfigured(
                        "Elasticsearch refuses VALISE_ELASTICSEARCH_USER and its password: "
                        f"{error.status_code}"
                    ) from error
                raise

    async def stop(self) -> None:
        """Close the connections. Cursors go on living in the server."""
        await self._client.close()

    async def apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        """Take these states; one outcome each, in order."""
        async with translated():
            return await write_in_turn(self._client, self._names.write, notes)

    async def forget(self, note_ids: Sequence[UUID]) -> None:
        """Remove these notes, tombstones included."""
        # From the index that searches read too, where a rebuild is about to exchange it: `get`
        # would find there what is gone.
        async with translated():
            for alias in self._names.both:
                await delete_all(self._client, alias, note_ids)

    async def forget_before(self, revisions: Mapping[UUID, int]) -> None:
        """Remove those of these notes that stand in a revision before the one given."""
        async with translated():
            for alias in self._names.both:
                await delete_before(self._client, alias, revisions)

    async def purge(self) -> None:
        """Merge removed documents away; half a minute at least. Cursors by relevance that this
        process gave out expire."""
        async with translated():
            await purge(self._client.options(request_timeout=PURGE_SECONDS), self._names.write)
            async with self._snapshot_lock:
                lent, self._lent, self._snapshot = self._lent, [], None
            for snapshot, _ in lent:
                await self._client.options(ignore_status=404).close_point_in_time(id=snapshot)

    async def refresh(self) -> None:
        """Let searches see everything applied so far."""
        async with translated():
            await self._client.indices.refresh(index=self._names.read)
        self._snapshot = None

    async def search(self, query: Query) -> Page:
        """The page that the query asks for. Raises CursorExpired, CursorInvalid."""
        asked = wanted(query.words)
        order = order_of(query, asked.french)
        place = decode(query, order)
        async with translated():
            if place is not None:
                return await self._page(query, asked, order, place, relaxed=place.relaxed)
            first = await self._page(query, asked, order, None, relaxed=False)
            if first.total or not asked.relaxable:
                return first
            relaxed = await self._page(query, asked, order, None, relaxed=True)
            return relaxed if relaxed.total else first

    async def stamp(self, query: Query) -> str:
        """A short text that becomes another when the hits of the query's first page do."""
        asked = wanted(query.words)
        body = search_body(query, asked, order_of(query, asked.french), None, relaxed=False)
        for part in ("aggs", "highlight"):
            body.pop(part, None)
        body |= {"size": query.size, "_source": False, "version": True, "track_total_hits": False}
        async with translated():
            answer = await self._asked(body, None)
        states = [(hit["_id"], hit["_version"]) for hit in answer["hits"]["hits"]]
        return sha256(repr(states).encode()).hexdigest()

    async def get(self, note_id: UUID) -> ClassifiedNote | None:
        """The latest state of a note, tombstones included; it need not be refreshed."""
        # While a rebuild takes over, either index may be the one that has it: in one request, as
        # the aliases move in one step.
        wanted = [{"_index": alias, "_id": str(note_id)} for alias in self._names.both]
        async with translated():
            answer = await self._client.mget(docs=wanted, source_includes=["event", *TEXTS])
        docs = answer["docs"]
        failed = [doc["error"] for doc in docs if "error" in doc]
        if failed:
            raise Unavailable(f"the index is missing: {failed[0].get('reason')}")
        states = [doc for doc in docs if doc["found"]]
        if not states:
            return None
        latest = max(states, key=lambda doc: int(doc["_version"]))
        return ClassifiedNote.model_validate(whole(latest["_source"]))

    async def count(self) -> int:
        """How many notes are held, tombstones not counted, as of the last refresh."""
        async with translated():
            answer = await self._client.count(index=self._names.read, query=NOTES_IN_FORCE)
        return int(answer["count"])

    async def ready(self) -> bool:
        """Whether the cluster answers and the index's primaries are there."""
        try:
            health = await self._client.options(request_timeout=2).cluster.health(
                index=self._names.write, timeout="1s"
            )
        except (ApiError, TransportError):
            return False
        return health["status"] in _HEALTHY

    async def begin_rebuild(self) -> ElasticRebuilding:
        """A new index beside this one."""
        return await begin(self._client, self._names, self._replicas)

    async def _page(
        self, query: Query, asked: Wanted, order: Sort, place: Place | None, *, relaxed: bool
    ) -> Page:
        body = search_body(query, asked, order, place, relaxed=relaxed)
        snapshot = None
        if order is Sort.RELEVANCE:
            snapshot = place.snapshot if place else await self._point_in_time()
            body["pit"] = {"id": snapshot, "keep_alive": f"{place.left}s" if place else _KEEP_ALIVE}
        answer = await self._asked(body, place)
        hits = answer["hits"]["hits"]
        back = place is not None and place.back
        if back and len(hits) < query.size:
            return await self._page(query, asked, order, None, relaxed=relaxed)
        more, hits = len(hits) > query.size, hits[: query.size]
        if back:
            hits.reverse()
        scored = sees_every_mark(query.reader)
        reading = {
            "snapshot": answer.get("pit_id") or snapshot,
            "until": None if snapshot is None else place.until if place else reading_ends(),
            "relaxed": relaxed,
        }
        before = hits and (more if back else place is not None)
        following = hits and (more or back)
        return Page(
            total=answer["hits"]["total"]["value"],
            total_is_exact=answer["hits"]["total"]["relation"] == "eq",
            relaxed=relaxed,
            hits=[_hit(hit, scored=scored) for hit in hits],
            facets={
                facet: counts(
                    (bucket["key"], bucket["doc_count"])
                    for bucket in answer["aggregations"][facet]["values"]["buckets"]
                )
                for facet in FACET_FIELDS
            },
            next=encode(query, _place(hits[-1], reading)) if following else None,
            previous=encode(query, _place(hits[0], reading, back=True)) if before else None,
        )

    async def _asked(self, body: dict[str, Any], place: Place | None) -> dict[str, Any]:
        # The client calls the body's parts by the same names, but without leading underscores.
        request: dict[str, Any] = {name.lstrip("_"): part for name, part in body.items()}
        if "pit" not in body:
            request["index"] = self._names.read
        try:
            answer = await self._client.search(**request)
        except ApiError as error:
            if place is not None and error.status_code == _BAD_REQUEST:
                raise CursorInvalid(reason(error)) from None
            if place is not None and "pit" in body and await self._expired(error):
                raise CursorExpired(reason(error)) from None
            raise
        return dict(answer.body)

    async def _expired(self, error: ApiError) -> bool:
        """Whether a point in time is gone: by its age, or with an index that a rebuild replaced."""
        if isinstance(error, NotFoundError):
            return True
        said = error.body.get("error") if isinstance(error.body, dict) else None
        shards = said.get("failed_shards", []) if isinstance(said, dict) else []
        indexes = {shard["index"] for shard in shards if shard.get("index")}
        return bool(indexes) and not await self._client.indices.exists(index=sorted(indexes))

    async def _point_in_time(self) -> str:
        """A state of the index that stays as it is for the life of a cursor."""
        async with self._snapshot_lock:
            now = time.monotonic()
            if self._snapshot is None or now - self._snapshot[1] >= SNAPSHOT_SECONDS:
                answer = await self._client.open_point_in_time(
                    index=self._names.read, keep_alive=_KEEP_ALIVE
                )
                self._snapshot = (answer["id"], now)
                lent = (each for each in self._lent if now - each[1] < LENT_SECONDS)
                self._lent = [*lent, self._snapshot]
            return self._snapshot[0]


class _Json(JsonSerializer):
    """JSON read in half the time of the standard library's: a page of hits is some 100 KB."""

    def json_loads(self, data: bytes) -> Any:
        """The value. Raises ValueError where it is not JSON."""
        return from_json(data)


def _access(settings: Settings) -> dict[str, Any]:
    """How the client signs in and whom it trusts."""
    access: dict[str, Any] = {}
    if "https://" in (settings.elasticsearch or ""):
        access["ssl_context"] = tls.context(settings.elasticsearch_ca, "VALISE_ELASTICSEARCH_CA")
    if settings.elasticsearch_user and settings.elasticsearch_password:
        password = settings.elasticsearch_password.get_secret_value()
        access["basic_auth"] = (settings.elasticsearch_user, password)
    return access


def _place(hit: dict[str, Any], reading: dict[str, Any], *, back: bool = False) -> Place:
    """Where a hit stands in the order of a reading."""
    value, note_id, *_ = hit["sort"]
    return Place(value=value, id=note_id, back=back, **reading)


def _hit(hit: dict[str, Any], *, scored: bool) -> Hit:
    marked = hit.get("highlight", {})
    highlights = Highlights(
        subject=_tidied(marked, "subject", None), body=_tidied(marked, "body", SNIPPET)
    )
    return Hit.model_validate(
        hit["_source"]["hit"]
        | {"score": hit.get("_score") if scored else None, "highlights": highlights}
    )


def _tidied(marked: dict[str, list[str]], name: str, size: int | None) -> tuple[str, ...]:
    """The fragments of a text in our form; it stands in one of two fields."""
    return tuple(
        tidy(fragment, size, chain=chain)
        for field, chain in ((name, FRENCH), (OTHER_FIELDS[name], OTHER))
        for fragment in marked.get(field, ())
    )
