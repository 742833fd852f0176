"""The Elasticsearch index: made from the tables of data/, behind a read and a write alias."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError

from services.runtime.errors import Misconfigured
from services.search.data import table
from services.search.index.analysis import analysis_settings

_BAD_REQUEST, _FORBIDDEN = 400, (401, 403)
_ANOTHER = "give VALISE_INDEX another name, under which one is made and filled from the log"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one deployment: searches read one alias, writes go to the other."""

    read: str

    @property
    def write(self) -> str:
        """The alias of the one index that takes writes."""
        return f"{self.read}-write"

    @property
    def both(self) -> tuple[str, str]:
        """Two aliases of one index, but while a rebuild exchanges it: then of the new and the old
        one."""
        return self.write, self.read

    def fresh(self) -> str:
        """The name of a new index: its time stamp, and a few letters so that two never meet."""
        return f"{self.read}-{datetime.now(UTC):%Y%m%dt%H%M%S}-{uuid4().hex[:6]}"


def index_definition(replicas: int) -> dict[str, Any]:
    """Settings and mappings of the note index, as Elasticsearch takes them."""
    settings = {
        name: row["value"] for name, row in table("elasticsearch").items() if name != "provenance"
    }
    return {
        "settings": {
            "index": settings | {"number_of_replicas": replicas, "analysis": analysis_settings()}
        },
        "mappings": mappings(),
    }


def mappings() -> dict[str, Any]:
    """Fields by name, nothing else let in; `_meta` says by which tables they were made."""
    fields = table("fields")
    return {
        "dynamic": "strict",
        "_meta": {"valise": fields["version"]},
        "properties": {
            name: fields["kinds"][field["kind"]]["elasticsearch"]
            for name, field in fields["fields"].items()
        },
    }


async def ensure_index(client: AsyncElasticsearch, names: Names, replicas: int) -> str:
    """Create the first index with both aliases where the write alias is missing; its generation.

    A rebuild that died between its two exchanges of aliases is brought to its end: its index had
    another generation then, so what may be missing from it comes from the log.

    Raises Misconfigured with what is wrong: an index of that name in the way, an analysis that the
    server lacks, a mapping of another version. Several processes may do this at once.
    """
    if not await client.indices.exists_alias(name=names.write):
        await _create(client, names, replicas)
    taking, generation = await _check(client, names)
    await searches_follow(client, names, taking)
    return generation


async def _create(client: AsyncElasticsearch, names: Names, replicas: int) -> None:
    try:
        await client.indices.create(
            index=names.fresh(),
            **index_definition(replicas),
            aliases={names.read: {}, names.write: {"is_write_index": True}},
            wait_for_active_shards="1",
        )
    except ApiError as error:
        # Elasticsearch lets an alias have one write index: of two processes that start together
        # one comes too late, and finds what it needs.
        if await client.indices.exists_alias(name=names.write):
            return
        if error.status_code in (_BAD_REQUEST, *_FORBIDDEN):
            raise Misconfigured(
                f"Elasticsearch refuses the index {names.read}: {reason(error)}"
            ) from error
        raise


async def searches_follow(client: AsyncElasticsearch, names: Names, index: str) -> list[str]:
    """Have the read alias lead to this index alone, in one step; the indexes that it left."""
    try:
        before = list(await client.indices.get_alias(name=names.read))
    except NotFoundError:
        before = []
    left = [name for name in before if name != index]
    if left or index not in before:
        await client.indices.update_aliases(
            actions=[
                *({"remove": {"index": name, "alias": names.read}} for name in left),
                {"add": {"index": index, "alias": names.read}},
            ]
        )
    return left


def generation_of(name: str, found: dict[str, Any]) -> str:
    """The generation of an index: its own name, or what a rebuild has handed on to it."""
    return str(found["mappings"].get("_meta", {}).get("generation", name))


async def _check(client: AsyncElasticsearch, names: Names) -> tuple[str, str]:
    taking = generation = ""
    for index, found in (await client.indices.get(index=names.write)).items():
        analyzers = found["settings"]["index"].get("analysis", {}).get("analyzer", {})
        missing = sorted(set(analysis_settings()["analyzer"]) - set(analyzers))
        if missing:
            raise Misconfigured(f"the index {index} lacks the analyser {missing[0]}: {_ANOTHER}")
        made_by = found["mappings"].get("_meta", {}).get("valise")
        if made_by != table("fields")["version"]:
            raise Misconfigured(
                f"the index {index} has mapping version {made_by}, this program needs "
                f"{table('fields')['version']}: {_ANOTHER}"
            )
        taking, generation = index, generation_of(index, found)
    return taking, generation


def reason(error: ApiError) -> str:
    """What Elasticsearch says is wrong, in one line, with the cause where it names one."""
    if not isinstance(error.body, dict) or not isinstance(error.body.get("error"), dict):
        return str(error)
    said = error.body["error"]
    roots = [root.get("reason") for root in said.get("root_cause", [])]
    return "; ".join(dict.fromkeys(str(part) for part in (said.get("reason"), *roots) if part))
