"""What an embedded deployment tells Prometheus of what went through it."""

import signal
import time
from os import kill

from tests.observability.conftest import Observed
from tests.pipeline.deployments import children

SUBMITTED = "notes.submitted"


def test_every_message_is_counted_once_under_its_outcome(observed: Observed) -> None:
    outcomes = {
        (labels["service"], labels["topic"], labels["outcome"]): value
        for labels, value in observed.samples()["valise_outcomes_total"]
        if value
    }
    assert outcomes == {
        ("ingest", SUBMITTED, "accepted"): 4,
        ("ingest", SUBMITTED, "duplicate"): 1,
        ("ingest", SUBMITTED, "conflict"): 1,
        ("ingest", SUBMITTED, "refused"): 3,
        # The duplicate was in the log already: four events and the poison.
        ("classify", SUBMITTED, "classified"): 4,
        ("classify", SUBMITTED, "parked"): 1,
        ("search", "notes.classified", "indexed"): 4,
        ("search", "notes.submitted.dead", "parked"): 1,
    }


def test_a_dead_letter_is_counted_and_counters_that_alerts_need_stand_at_0_before(
    observed: Observed,
) -> None:
    assert observed.value("valise_dead_letters_total", service="classify", topic=SUBMITTED) == 1
    assert observed.value("valise_dead_letters_total", topic="notes.classified") == 0
    assert observed.value("valise_retried_total", service="classify", topic=SUBMITTED) == 0


def test_each_stage_has_its_times(observed: Observed) -> None:
    counts = {
        (labels["service"], labels["stage"]): value
        for labels, value in observed.samples()["valise_stage_seconds_count"]
    }
    assert counts.keys() == {
        ("ingest", "request"),
        ("ingest", "append"),
        ("classify", "classify"),
        ("search", "index"),
    }
    assert counts["ingest", "request"] == 5  # the one of the wrong type was never read
    assert counts["ingest", "append"] == 3
    assert counts["classify", "classify"] == 4
    assert 1 <= counts["search", "index"] <= 4
    assert observed.value("valise_end_to_end_seconds_count") == 4
    assert observed.value("valise_search_seconds_count") == 1


def test_every_consumer_of_both_processes_tells_how_it_stands(observed: Observed) -> None:
    names = ("valise_consumer_up", "valise_lag_records", "valise_consumer_age_seconds")
    observed.until("valise_lag_records", 0, service="classify")
    seen = observed.samples()
    for name, value in zip(names, (1, 0, 0), strict=True):
        standing = {(labels["service"], labels["topic"]): value for labels, value in seen[name]}
        assert standing == {
            ("classify", SUBMITTED): value,
            ("search", "notes.classified"): value,
            ("search", "notes.submitted.dead"): value,
            ("search", "notes.classified.dead"): value,
        }, name


def test_the_disk_of_the_data_folder_is_looked_at(observed: Observed) -> None:
    free = observed.value("valise_data_free_bytes")
    size = observed.value("valise_data_size_bytes")
    assert free is not None
    assert size is not None
    assert 0 < free < size


def test_requests_are_counted_by_the_pattern_of_their_path(observed: Observed) -> None:
    note = f"{observed.deployment.search}/api/v1/notes/{observed.note_id}"
    assert observed.deployment.http.get(note, timeout=10).status_code == 200
    paths = {labels["path"] for labels, _ in observed.samples()["valise_http_requests_total"]}
    assert "/api/v1/notes/{note_id}" in paths
    assert not any(observed.note_id in path for path in paths)
    asked = {"method": "POST", "path": "/api/v1/notes"}
    assert observed.value("valise_http_requests_total", status="202", **asked) == 2
    assert observed.value("valise_http_requests_total", path="other", status="404") == 1


def test_no_series_stands_twice(observed: Observed) -> None:
    text = observed.deployment.http.get(f"{observed.deployment.ingest}/metrics", timeout=10).text
    series = [line.rpartition(" ")[0] for line in text.splitlines() if line[0] != "#"]
    assert len(series) == len(set(series))
    types = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))


def test_a_classify_process_that_is_frozen_does_not_hold_up_the_others_figures(
    observed: Observed,
) -> None:
    (child,) = children(observed.deployment.server.pid)
    kill(child, signal.SIGSTOP)
    try:
        began = time.monotonic()
        now = observed.samples_now()
        assert time.monotonic() - began < 10
        up = {labels["service"] for labels, _ in now["valise_consumer_up"]}
        assert up == {"search"}
        outcomes = [(labels, value) for labels, value in now["valise_outcomes_total"]]
        assert any(
            (labels["service"], labels["outcome"], value) == ("search", "indexed", 4)
            for labels, value in outcomes
        )
    finally:
        kill(child, signal.SIGCONT)
    observed.until("valise_consumer_up", 1, service="classify")
