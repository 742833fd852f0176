"""The trace of a note through both processes of a deployment, as a collector gets it."""

from collections import Counter

from tests.observability.conftest import CALLER, MANY_TRACE, SECRET, TRACE, Observed
from tests.pipeline.deployments import children


def test_a_note_is_followed_from_the_post_to_the_index(observed: Observed) -> None:
    spans = {span.name: span for span in observed.collector.of_trace(TRACE, 4)}
    post, append = spans["POST /api/v1/notes"], spans["append"]
    classify, index = spans["classify"], spans["index"]
    assert len(observed.collector.of_trace(TRACE, 4)) == 4
    assert post.parent == CALLER
    assert append.parent == post.id
    assert classify.parent == append.id
    assert index.parent == classify.id
    assert [each.service for each in (post, classify, index)] == [
        "valise-ingest",
        "valise-classify",
        "valise-search",
    ]
    assert classify.attributes["valise.note_id"] == observed.note_id
    assert index.attributes["valise.note_id"] == observed.note_id
    assert index.attributes["valise.outcome"] == "indexed"


def test_the_spans_come_from_both_processes(observed: Observed) -> None:
    spans = {span.name: span for span in observed.collector.of_trace(TRACE, 4)}
    server = observed.deployment.server.pid
    assert spans["POST /api/v1/notes"].pid == spans["index"].pid == server
    assert [spans["classify"].pid] == children(server)


def test_a_note_sent_without_a_trace_gets_one_of_its_own(observed: Observed) -> None:
    indexed = [span for span in observed.collector.spans if span.name == "index"]
    (other,) = {span.trace for span in indexed} - {TRACE, MANY_TRACE}
    spans = {span.name: span for span in observed.collector.of_trace(other, 4)}
    assert spans["POST /api/v1/notes"].parent == ""
    assert spans["index"].parent == spans["classify"].id


def test_many_notes_sent_at_once_are_one_trace(observed: Observed) -> None:
    spans = observed.collector.of_trace(MANY_TRACE, 6)
    named = Counter(span.name for span in spans)
    assert named == {"POST /api/v1/notes": 1, "append": 1, "classify": 2, "index": 2}
    classified = {span.id for span in spans if span.name == "classify"}
    assert {span.parent for span in spans if span.name == "index"} == classified


def test_no_word_of_a_note_is_in_a_trace(observed: Observed) -> None:
    observed.collector.of_trace(TRACE, 4)
    assert SECRET.encode() not in observed.collector.raw
