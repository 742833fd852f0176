"""The attacks on marks between documents and over time, on each deployment, over HTTP."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas.access import Role
from tests.ingest.formats.making import docx, eml, paragraphs
from tests.keys import a_key
from tests.pipeline.deployments import Deployment
from tests.pipeline.test_kills import wait_until
from tests.security.conftest import Attacked, key_of

KINDS = ["embedded", pytest.param("distributed", marks=pytest.mark.live)]
ARRIVE_SECONDS = 120.0
IF_ANY = {"If-Match": "*"}
SECRET_WORD = "farigoulette"


class Attack:
    """A deployment with a client for whoever may do everything, and one for a plain reader."""

    def __init__(self, attacked: Attacked) -> None:
        self.deployment: Deployment = attacked.deployment
        options: dict[str, Any] = {"trust_env": False, "timeout": 60}
        self.all = httpx.Client(headers=key_of(attacked.registry, "all"), **options)
        self.reader = httpx.Client(headers=a_key(attacked.registry, Role.READ), **options)
        self.tag = f"z{uuid4().hex[:10]}"

    def send(self, body: str, **fields: Any) -> str:
        answer = self.all.post(self.ingest(""), json=self.note(body, **fields))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def change(self, note_id: str, body: str, **fields: Any) -> None:
        answer = self.all.put(self.ingest(note_id), json=self.note(body, **fields), headers=IF_ANY)
        assert answer.status_code == 202, answer.text

    def note(self, body: str, **fields: Any) -> dict[str, Any]:
        said = {"post": "berlin", "date": "2026-03-04", "subject": "Note du poste"}
        return said | {"reference": f"{self.tag}-1", "body": body} | fields

    def ingest(self, note_id: str) -> str:
        return f"{self.deployment.ingest}/api/v1/notes{'/' if note_id else ''}{note_id}"

    def search(self, path: str, who: httpx.Client | None = None) -> httpx.Response:
        return (who or self.reader).get(f"{self.deployment.search}{path}")

    def indexed(self, note_id: str, revision: int) -> None:
        def there() -> bool:
            answer = self.search(f"/api/v1/notes/{note_id}", self.all)
            return answer.status_code == 200 and answer.json()["revision"] == revision

        wait_until(there, ARRIVE_SECONDS)

    def found(self, total: int) -> None:
        path = f"/api/v1/search?q={self.tag}&size=1"
        wait_until(lambda: self.search(path, self.all).json()["total"] == total, ARRIVE_SECONDS)


@pytest.fixture(params=KINDS)
def attack(request: pytest.FixtureRequest, attacked: Callable[[str], Attacked]) -> Iterator[Attack]:
    made = Attack(attacked(request.param))
    with made.all, made.reader:
        yield made


def test_a_mail_with_a_restricted_attachment(attack: Attack) -> None:
    marked = f"DIFFUSION RESTREINTE\n\nLe texte {SECRET_WORD}.".encode()
    answer = attack.all.post(
        attack.ingest(""),
        files={"file": (f"{attack.tag}.eml", eml("Voir la pièce.", files={"suite.txt": marked}))},
        data={"metadata": json.dumps({"post": "berlin", "date": "2026-03-04"})},
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["status"] for line in lines] == [202, 202], answer.text
    for line in lines:
        attack.indexed(line["id"], 1)
        assert attack.search(f"/api/v1/notes/{line['id']}").status_code == 404
        original = f"{attack.ingest(line['id'])}/original"
        assert attack.reader.get(original).status_code == 404
        assert attack.all.get(original).status_code == 200


def test_a_passage_that_was_found_at_the_door_is_for_its_readers_alone(attack: Attack) -> None:
    texts = (f"Note {attack.tag}", f"La commission {attack.tag} se réunit.")
    word = f"{SECRET_WORD}{attack.tag}"
    hidden = f"2. [Spécial France] Le ministre songe à la {word}."
    document = docx(paragraphs(*texts, hidden, "3. La suite est publique."))
    answer = attack.all.post(
        attack.ingest(""),
        files={"file": (f"{attack.tag}.docx", document)},
        data={"metadata": json.dumps({"post": "berlin", "date": "2026-03-04"})},
    )
    assert answer.status_code == 202, answer.text
    note_id = answer.json()["id"]
    attack.indexed(note_id, 1)
    attack.found(1)
    assert attack.search(f"/api/v1/search?q={word}").json()["total"] == 0
    for path in (
        f"/api/v1/search?q={attack.tag}",
        f"/api/v1/notes/{note_id}",
        f"/notes/{note_id}",
        f"/?q={attack.tag}",
        f"/feeds/search.atom?q={attack.tag}",
    ):
        told = attack.search(path)
        assert told.status_code == 200, path
        assert attack.tag in told.text, path
        assert word not in told.text, path
    assert "La suite est publique" in attack.search(f"/notes/{note_id}").text
    assert attack.reader.get(f"{attack.ingest(note_id)}/original").status_code == 404
    assert attack.search(f"/api/v1/search?q={word}", attack.all).json()["total"] == 1


@pytest.mark.parametrize("change", ["restricted", "withdrawn", "expunged"])
def test_a_cursor_kept_while_notes_leave(attack: Attack, change: str) -> None:
    ids = [
        attack.send(f"La commission {attack.tag} et {SECRET_WORD}.", reference=f"{attack.tag}-{n}")
        for n in range(3)
    ]
    attack.found(3)
    path = f"/api/v1/search?q={attack.tag}&size=1"
    first = attack.search(path).json()
    assert len(first["hits"]) == 1
    for number, note_id in enumerate(ids):
        if change == "restricted":
            fields = {"reference": f"{attack.tag}-{number}", "special_france": True}
            attack.change(note_id, f"La commission {attack.tag} et {SECRET_WORD}.", **fields)
        elif change == "withdrawn":
            assert attack.all.delete(attack.ingest(note_id), headers=IF_ANY).status_code == 202
        else:
            asked = f"{attack.deployment.search}/api/v1/notes/{note_id}/expunge"
            assert attack.all.post(asked, json={"reason": "essai"}).status_code in (200, 202)
    for answer in (attack.search(f"{path}&cursor={first['next']}"), attack.search(path)):
        assert answer.status_code in (200, 410), answer.text
        assert SECRET_WORD not in answer.text
        assert not answer.json().get("hits")


@pytest.mark.parametrize("restriction", ["passage", "whole"])
def test_revisions_do_not_tell_what_was_restricted_once(attack: Attack, restriction: str) -> None:
    public = f"La commission {attack.tag} se réunit."
    secret = f"{public} Elle songe à la {SECRET_WORD}."
    note_id = attack.send(public)
    attack.change(note_id, secret)
    span = {"field": "body", "start": len(public), "end": len(secret), "mark": "special_france"}
    marks = {"marked_spans": [span]} if restriction == "passage" else {"special_france": True}
    attack.change(note_id, secret, **marks)
    attack.change(note_id, public, marked_spans=[], special_france=False)
    attack.indexed(note_id, 4)
    for path in (f"/api/v1/notes/{note_id}", f"/notes/{note_id}"):
        for way in ("", "/revisions", "/revisions?before=4", "/revisions?before=3"):
            told = attack.search(f"{path}{way}")
            assert told.status_code == 200, told.text
            assert SECRET_WORD not in told.text
            if way:
                assert (
                    SECRET_WORD
                    in attack.search(f"/api/v1/notes/{note_id}/revisions", attack.all).text
                )
