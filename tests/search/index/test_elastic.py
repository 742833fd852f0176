"""Elasticsearch when things go wrong: refused documents, a server under pressure or away."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession, web
from elasticsearch import AsyncElasticsearch

from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.settings import Settings
from services.search.index import Applied, Rejected
from services.search.index import elastic_bulk as bulk
from services.search.index.elastic import ElasticIndex
from services.search.index.elastic_setup import Names, index_definition, mappings
from tests.builders import a_classified_note, a_note
from tests.search.index.corpus import ROWS, asked, corpus

NOWHERE = "http://127.0.0.1:9"


class Squeezed:
    """A gateway before the real server that can withhold bulk items (429) or answer 503."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.withheld: list[int] = []
        """How many items of each coming bulk request are not let through; empty: all are."""
        self.bulks: list[int] = []
        """Items of every bulk request that came."""
        self.away = False

    async def answer(self, request: web.Request) -> web.Response:
        if self.away:
            return web.Response(status=503, headers={"x-elastic-product": "Elasticsearch"})
        body = await request.read()
        refused = 0
        if request.path.endswith("/_bulk"):
            lines = body.splitlines(keepends=True)
            self.bulks.append(len(lines) // 2)
            refused = self.withheld.pop(0) if self.withheld else 0
            body = b"".join(lines[refused * 2 :])
        answers: dict[str, Any] = {"items": [], "errors": False, "took": 0}
        if body or not refused:
            async with (
                ClientSession() as session,
                session.request(
                    request.method,
                    self._server + request.path_qs,
                    data=body,
                    headers={
                        k: v for k, v in request.headers.items() if k in ("Content-Type", "Accept")
                    },
                ) as answered,
            ):
                content = await answered.read()
                if not refused:
                    return web.Response(
                        body=content,
                        status=answered.status,
                        headers={
                            "Content-Type": answered.headers["Content-Type"],
                            "x-elastic-product": "Elasticsearch",
                        },
                    )
                answers = json.loads(content)
        error = {"type": "es_rejected_execution_exception", "reason": "queue full"}
        answers["items"] = [{"index": {"status": 429, "error": error}}] * refused + answers["items"]
        return web.json_response(answers, headers={"x-elastic-product": "Elasticsearch"})


@pytest.fixture
async def client(engine: Callable[[str], str]) -> AsyncIterator[AsyncElasticsearch]:
    """A client of the real server, for what a test does behind the index's back."""
    async with AsyncElasticsearch(engine("ELASTICSEARCH")) as direct:
        yield direct


@pytest.fixture
async def name(client: AsyncElasticsearch) -> AsyncIterator[str]:
    """A name of its own, whose indexes are deleted at the end."""
    own = f"test-{uuid4().hex}"
    yield own
    for made in await client.indices.get(index=f"{own}*"):
        await client.indices.delete(index=made)


@pytest.fixture
async def index(name: str, engine: Callable[[str], str]) -> AsyncIterator[ElasticIndex]:
    """An empty index on the real server."""
    made = ElasticIndex(Settings(elasticsearch=engine("ELASTICSEARCH"), index=name))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def squeezed(
    name: str, engine: Callable[[str], str]
) -> AsyncIterator[tuple[Squeezed, ElasticIndex]]:
    """An index behind a gateway that can be made to refuse."""
    gateway = Squeezed(engine("ELASTICSEARCH"))
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", gateway.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made = ElasticIndex(Settings(elasticsearch=f"http://127.0.0.1:{port}", index=name))
    await made.start()
    yield gateway, made
    await made.stop()
    await runner.cleanup()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries too short to notice."""
    monkeypatch.setattr(bulk, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(bulk, "LONGEST_PAUSE_S", 0.01)


@pytest.mark.live
async def test_a_note_that_the_mapping_refuses_stops_no_other(index: ElasticIndex) -> None:
    notes = [a_classified_note(a_note(reference=f"BER-{n}")) for n in range(50)]
    huge = notes[20].note.model_copy(update={"reference": "R" * 40_000})
    notes[20] = notes[20].model_copy(update={"note": huge})
    outcomes = await index.apply(notes)
    assert outcomes.count(Applied.INDEXED) == 49
    refused = outcomes[20]
    assert isinstance(refused, Rejected)
    assert "reference" in refused.reason
    await index.refresh()
    assert await index.count() == 49


@pytest.mark.live
async def test_only_what_the_server_refused_for_now_is_sent_again(
    squeezed: tuple[Squeezed, ElasticIndex], impatient: None
) -> None:
    gateway, index = squeezed
    gateway.withheld = [12, 5, 5]
    assert await index.apply(corpus()) == [Applied.INDEXED] * len(ROWS)
    assert gateway.bulks == [len(ROWS), 12, 5, 5]
    await index.refresh()
    assert await index.count() == len(ROWS)


@pytest.mark.live
async def test_a_server_that_keeps_refusing_is_unavailable_and_nothing_is_lost(
    squeezed: tuple[Squeezed, ElasticIndex], impatient: None
) -> None:
    gateway, index = squeezed
    gateway.withheld = [3] * bulk.TRIES
    with pytest.raises(Unavailable, match=f"3 of {len(ROWS)}"):
        await index.apply(corpus())
    gateway.withheld = []
    notes = corpus()
    assert {type(outcome) for outcome in await index.apply(notes)} == {Applied}
    await index.refresh()
    assert await index.count() == len(ROWS)


@pytest.mark.live
async def test_a_server_that_answers_503_is_waited_for(
    squeezed: tuple[Squeezed, ElasticIndex],
) -> None:
    gateway, index = squeezed
    gateway.away = True
    await everything_unavailable(index)
    gateway.away = False
    assert await index.ready()
    assert set(await index.apply(corpus())) == {Applied.INDEXED}


async def test_a_server_that_is_away_is_waited_for() -> None:
    index = ElasticIndex(Settings(elasticsearch=NOWHERE))
    with pytest.raises(Unavailable):
        await index.start()
    await everything_unavailable(index)
    await index.stop()


async def everything_unavailable(index: ElasticIndex) -> None:
    assert not await index.ready()
    for call in (
        index.apply(corpus()), index.search(asked("retraites")), index.search(asked()),
        index.count(), index.refresh(), index.get(corpus()[0].note_id),
        index.forget([corpus()[0].note_id]),
    ):  # fmt: skip
        with pytest.raises(Unavailable):
            await call


@pytest.mark.live
async def test_a_large_batch_goes_in_several_requests(
    squeezed: tuple[Squeezed, ElasticIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, index = squeezed
    monkeypatch.setattr(bulk, "CHUNK_BYTES", 20_000)
    notes = [
        a_classified_note(
            a_note(reference=f"BER-{n}", body="Retraite. " * (900 if n != 5 else 9_000))
        )
        for n in range(10)
    ]
    assert await index.apply(notes) == [Applied.INDEXED] * 10
    assert sum(gateway.bulks) == 10
    assert max(gateway.bulks) == 1, "two such notes are more than 20 KB"


@pytest.mark.live
async def test_an_index_that_was_deleted_is_not_made_by_accident(
    index: ElasticIndex, name: str, client: AsyncElasticsearch
) -> None:
    await index.apply(corpus())
    before = index.generation
    for made in await client.indices.get(index=f"{name}*"):
        await client.indices.delete(index=made)
    await everything_unavailable(index)
    assert not await client.indices.get(index=f"{name}*")
    await index.start()
    assert index.generation != before
    assert set(await index.apply(corpus())) == {Applied.INDEXED}


@pytest.mark.live
async def test_services_that_start_together_share_one_index(
    name: str, engine: Callable[[str], str], client: AsyncElasticsearch
) -> None:
    several = [
        ElasticIndex(Settings(elasticsearch=engine("ELASTICSEARCH"), index=name)) for _ in range(4)
    ]
    await asyncio.gather(*(one.start() for one in several))
    made = await client.indices.get(index=f"{name}*")
    assert len(made) == 1
    (described,) = made.values()
    assert set(described["aliases"]) == {name, f"{name}-write"}
    assert described["mappings"]["dynamic"] == "strict"
    assert set(described["mappings"]["properties"]) == set(mappings()["properties"])
    for one in several:
        await one.stop()


@pytest.mark.live
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"settings": {}}, "lacks the analyser"),
        ({"mappings": {"_meta": {"valise": 0}}}, "mapping version 0"),
    ],
)
async def test_an_index_made_by_other_hands_is_named_at_start(
    name: str,
    engine: Callable[[str], str],
    client: AsyncElasticsearch,
    wrong: dict[str, Any],
    said: str,
) -> None:
    definition = index_definition(0) | {"mappings": {}} | wrong
    await client.indices.create(
        index=Names(name).fresh(), **definition, aliases={name: {}, f"{name}-write": {}}
    )
    index = ElasticIndex(Settings(elasticsearch=engine("ELASTICSEARCH"), index=name))
    with pytest.raises(Misconfigured, match=said):
        await index.start()
    await index.stop()


@pytest.mark.live
async def test_an_index_in_the_way_of_the_alias_is_named_at_start(
    name: str, engine: Callable[[str], str], client: AsyncElasticsearch
) -> None:
    await client.indices.create(index=name)
    index = ElasticIndex(Settings(elasticsearch=engine("ELASTICSEARCH"), index=name))
    with pytest.raises(Misconfigured, match=name):
        await index.start()
    await index.stop()


@pytest.mark.live
async def test_readers_who_search_at_the_same_moment_share_a_snapshot(
    index: ElasticIndex,
) -> None:
    await index.apply(corpus())
    await index.refresh()
    await asyncio.gather(*(index.search(asked("travail", size=1)) for _ in range(20)))
    assert 1 <= len(index._lent) <= 20 // 4
