"""The published contract is what the code says, and holds what contract.md settled."""

import json
from pathlib import Path

import pytest

from schemas import publish, topics

PUBLISHED = Path(publish.__file__).parent / "published"


@pytest.mark.parametrize("name", sorted(publish.documents()))
def test_a_published_file_is_current(name: str) -> None:
    assert (PUBLISHED / name).read_text(encoding="utf-8") == publish.documents()[name], (
        "run: python -m schemas.publish"
    )


def test_nothing_is_published_that_the_code_no_longer_says() -> None:
    assert {path.name for path in PUBLISHED.iterdir()} == set(publish.documents())


def test_every_topic_is_a_channel_with_its_writer_and_readers() -> None:
    document = json.loads(publish.documents()["asyncapi.json"])
    assert {channel["address"] for channel in document["channels"].values()} == {
        topic.name for topic in topics.ALL
    }
    assert "classify_receives_notes_submitted" in document["operations"]
    assert "search_sends_notes_classified_dead" in document["operations"]


def test_every_reference_in_asyncapi_leads_somewhere() -> None:
    document = publish.documents()["asyncapi.json"]
    parsed = json.loads(document)
    references = {
        part.split('"')[0] for part in document.split('"$ref": "#/')[1:] if part.split('"')[0]
    }
    assert references
    for reference in references:
        place = parsed
        for step in reference.split("/"):
            place = place[step]
