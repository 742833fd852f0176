"""On Elasticsearch a reader finds, reads and follows the same notes as on the embedded index."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from elasticsearch import AsyncElasticsearch

from schemas.events import Kind
from services.runtime.settings import Settings
from services.search.index.elastic import ElasticIndex
from tests.search import corpus
from tests.search.site import Site, open_site

pytestmark = pytest.mark.live


@pytest.fixture
async def elastic_site(tmp_path: Path, engine: Callable[[str], str]) -> AsyncIterator[Site]:
    """The search service with the corpus on a real Elasticsearch, in an index of its own."""
    address, name = engine("ELASTICSEARCH"), f"test-{uuid4().hex}"
    index = ElasticIndex(Settings(elasticsearch=address, index=name))
    try:
        async with open_site(tmp_path / "elastic", index) as site:
            await site.take(*corpus.ALL)
            yield site
    finally:
        async with AsyncElasticsearch(address) as client:
            for made in await client.indices.get(index=f"{name}*"):
                await client.indices.delete(index=made)


@pytest.mark.parametrize(
    "query",
    [
        "q=retraites",
        "q=m%C3%A9dicaments+OU+apprentissage&sort=date",
        "theme=travail&country.not=DE",
        "q=retraites+antibiotiques&sort=received",
        "from=2026-02-01&to=2026-03-04&genre=note",
    ],
)
async def test_a_search_finds_the_same_notes_and_counts(
    site: Site, elastic_site: Site, query: str
) -> None:
    pages = [(await one.get(f"/api/v1/search?{query}")).json() for one in (site, elastic_site)]
    here, there = ({hit["id"] for hit in page["hits"]} for page in pages)
    assert here == there != set()
    for name in ("total", "relaxed", "facets"):
        assert pages[0][name] == pages[1][name]


async def test_feeds_and_notes_are_the_same_to_the_byte(site: Site, elastic_site: Site) -> None:
    for path in (
        "/feeds/all.atom",
        "/feeds/protection_sociale.json",
        "/feeds/search.atom?q=travail",
        f"/api/v1/notes/{corpus.RETRAITES.note_id}",
        f"/notes/{corpus.NORDIQUES.note_id}",
        "/fils",
    ):
        here, there = await site.get(path), await elastic_site.get(path)
        assert there.status_code == 200
        assert there.content == here.content


async def test_a_withdrawn_note_leaves_everything(elastic_site: Site) -> None:
    before = await elastic_site.get("/feeds/all.atom")
    withdrawn = corpus.tagged(corpus.RETRAITES.note, revision=2, kind=Kind.WITHDRAWN)
    await elastic_site.take(withdrawn)
    after = await elastic_site.get("/feeds/all.atom", if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert withdrawn.note_id.urn not in after.text
    gone = await elastic_site.get(f"/api/v1/notes/{withdrawn.note_id}")
    assert gone.status_code == 410


async def test_a_reader_pages_through_a_relevance_search(elastic_site: Site) -> None:
    address = "/api/v1/search?q=travail+OU+commission+OU+retraites&size=1"
    seen, page = [], (await elastic_site.get(address)).json()
    total = page["total"]
    while True:
        seen += [hit["id"] for hit in page["hits"]]
        if page["next"] is None:
            break
        page = (await elastic_site.get(f"{address}&cursor={page['next']}")).json()
    assert len(set(seen)) == len(seen) == total
    assert (await elastic_site.get(f"{address}&cursor=nimporte")).status_code == 422
