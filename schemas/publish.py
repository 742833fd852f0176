"""Writes the published contract: JSON Schema of each model, AsyncAPI of the topics.

`python -m schemas.publish` after a change of the contract; a test fails while the checked-in files
are not what this would write.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas import (
    administration,
    answers,
    classification,
    correction,
    events,
    journal,
    note,
    query,
    topics,
)

TARGET = Path(__file__).resolve().parent / "published"

MODELS: dict[str, type[BaseModel]] = {
    "note": note.Note,
    "classification": classification.Classification,
    "note-event": events.NoteEvent,
    "classified-note": events.ClassifiedNote,
    "query": query.Query,
    "receipt": answers.Receipt,
    "correction": correction.Correction,
    "correction-receipt": answers.CorrectionReceipt,
    "labelled-note": correction.LabelledNote,
    "line-answer": answers.LineAnswer,
    "search-page": answers.SearchPage,
    "note-view": answers.NoteView,
    "trace": answers.Trace,
    "revisions": answers.Revisions,
    "missing-references": answers.MissingReferences,
    "post-notes": answers.PostNotes,
    "preview": answers.Preview,
    "preview-line": answers.PreviewLine,
    "dead-letter": administration.DeadLetterDetail,
    "dead-letter-page": administration.DeadLetterPage,
    "expunged": administration.Expunged,
    "journal-page": journal.JournalPage,
    "journal-check": journal.JournalCheck,
    "problem": answers.Problem,
}

_PAYLOADS: dict[str, type[BaseModel]] = {
    topics.SUBMITTED.name: events.NoteEvent,
    topics.CLASSIFIED.name: events.ClassifiedNote,
}

DEAD_LETTER_HEADERS = {
    "valise-reason": "Why the record can never succeed.",
    "valise-origin": "Where it lay: topic/partition/offset.",
    "valise-service": "Which service parked it.",
    "valise-at": "When, ISO 8601, UTC.",
}


def json_schema(name: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a published model, as it is on the wire."""
    schema = MODELS[name].model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all topics: channels, messages, who writes and who reads."""
    _, shared = models_json_schema(
        [(model, "serialization") for model in _PAYLOADS.values()],
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for topic in topics.ALL:
        name = topic.name.replace(".", "_")
        messages[name] = _message(topic)
        channels[name] = {
            "address": topic.name,
            "description": topic.purpose,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {"kafka": _kafka(topic)},
        }
        for action, services in (("send", (topic.writer,)), ("receive", topic.readers)):
            for service in services:
                operations[f"{service}_{action}s_{name}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{name}"},
                    "tags": [{"name": service}],
                }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Valise",
            "version": str(events.SCHEMA_VERSION),
            "description": "The topics through which a note travels. Keys are note ids; a null "
            "value means: forget this note.",
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": shared["$defs"]},
    }


def _message(topic: topics.Topic) -> dict[str, Any]:
    model = _PAYLOADS.get(topic.name)
    key = {"key": {"type": "string", "description": topic.key}}
    if model is not None:
        return {
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
            "bindings": {"kafka": key},
        }
    return {
        "contentType": "application/octet-stream",
        "description": "The bytes of the original record, untouched.",
        "headers": {
            "type": "object",
            "properties": {
                header: {"type": "string", "description": meaning}
                for header, meaning in DEAD_LETTER_HEADERS.items()
            },
        },
        "bindings": {"kafka": key},
    }


def _kafka(topic: topics.Topic) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "cleanup.policy": ["compact"] if topic.compacted else ["delete"],
    }
    if topic.retention_ms is not None:
        configuration["retention.ms"] = topic.retention_ms
    return {"partitions": topic.partitions, "topicConfiguration": configuration}


def documents() -> dict[str, str]:
    """Every published file's text by its name."""
    written = {f"{name}.schema.json": json_schema(name) for name in MODELS}
    written["asyncapi.json"] = asyncapi()
    return {
        name: json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        for name, document in written.items()
    }


def main() -> None:
    """Write all published files."""
    TARGET.mkdir(exist_ok=True)
    for name, text in documents().items():
        (TARGET / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
