"""API keys: their text, their rows on both databases, and the first one of a deployment."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.access import EVERY_POST, KeyOrder, Rights, Role
from schemas.vocabulary import Marking
from services.runtime.access import keys
from services.runtime.access.first import ensure_key, make_key
from services.runtime.access.key_file import read_key
from services.runtime.errors import Misconfigured
from services.runtime.registry import KeyRow, Registry

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ORDER = KeyOrder(
    name="Poste de Berlin",
    rights=Rights(roles={Role.SUBMIT, Role.READ}, posts={"berlin"}, special_france=True),
)


def test_a_key_is_taken_apart_as_it_was_made() -> None:
    made = keys.new()
    assert keys.parse(f" {made}\n") == made
    assert made.fits(made.hash)
    assert not made.fits(keys.new().hash)
    assert made.secret not in repr(made)


@pytest.mark.parametrize(
    "text", ["", "valise_", "valise_0123456789abcdef_court", "bearer x", "é" * 70]
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert keys.parse(text) is None


def test_a_key_that_submits_says_for_which_posts() -> None:
    for roles, posts in (({Role.SUBMIT}, set()), ({Role.READ}, {"berlin"})):
        with pytest.raises(ValidationError, match="vont ensemble"):
            Rights(roles=roles, posts=posts)
    with pytest.raises(ValidationError, match="poste inconnu"):
        Rights(roles={Role.SUBMIT}, posts={"atlantide"})


def test_of_a_key_the_registry_keeps_its_rights_and_no_secret(registry: Registry) -> None:
    secret = keys.new()
    view = registry.add_key(ORDER, secret.label, secret.hash, NOW)
    row = registry.key(secret.label)
    assert row is not None
    assert (row.view, row.hash) == (view, secret.hash)
    assert view.rights == ORDER.rights
    caller = row.caller
    assert caller.submits_for("berlin")
    assert not caller.submits_for("rome")
    assert caller.reader.markings == {Marking.NON_PROTEGE}
    assert caller.reader.special_france
    assert registry.key("f" * 16) is None
    assert [each.number for each in registry.all_keys()] == [view.number]


def test_a_key_ends_when_it_is_revoked_or_over_and_never_comes_back(registry: Registry) -> None:
    secret = keys.new()
    view = registry.add_key(ORDER, secret.label, secret.hash, NOW)

    def holds(at: datetime) -> bool:
        row = registry.key(secret.label)
        assert row is not None
        return row.holds(at)

    later = NOW + timedelta(hours=24)
    registry.end_key(view.number, later, revoked=False)
    assert holds(NOW)
    assert not holds(later)
    registry.end_key(view.number, later + timedelta(days=1), revoked=False)
    assert not holds(later), "its end is not put off"
    registry.end_key(view.number, NOW, revoked=True)
    assert not holds(NOW)
    assert registry.end_key(view.number + 1, NOW, revoked=True) is None


def test_the_last_use_is_noted_and_does_not_go_back(registry: Registry) -> None:
    secret = keys.new()
    view = registry.add_key(ORDER, secret.label, secret.hash, NOW)
    for at in (NOW + timedelta(hours=1), NOW):
        registry.key_used(view.number, at)
    found = registry.key_numbered(view.number)
    assert found is not None
    assert found.last_used_at == NOW + timedelta(hours=1)


def test_the_first_key_is_made_once_and_lies_where_its_owner_alone_reads(
    registry: Registry, tmp_path: Path
) -> None:
    file = tmp_path / "data" / "admin.key"
    assert not registry.has_administrator()
    assert ensure_key(registry, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    row = row_of(registry, file)
    assert row.view.rights.posts == {EVERY_POST}
    assert row.caller.roles == set(Role)
    kept = file.read_bytes()
    assert not ensure_key(registry, file)
    assert file.read_bytes() == kept
    assert registry.has_administrator()


def test_a_first_key_that_is_lost_or_revoked_is_made_anew(
    registry: Registry, tmp_path: Path
) -> None:
    file = tmp_path / "admin.key"
    ensure_key(registry, file)
    file.unlink()
    assert ensure_key(registry, file)
    registry.end_key(row_of(registry, file).view.number, NOW, revoked=True)
    assert ensure_key(registry, file)
    file.write_text(str(keys.new()))
    assert ensure_key(registry, file)
    assert row_of(registry, file).holds(NOW)


def row_of(registry: Registry, file: Path) -> KeyRow:
    secret = keys.parse(read_key(file) or "")
    assert secret is not None
    row = registry.key(secret.label)
    assert row is not None
    assert secret.fits(row.hash)
    return row


def test_where_the_first_key_cannot_lie_the_start_says_so(
    registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=r"admin\.key"):
        make_key(registry, tmp_path / "file" / "admin.key")
    assert not registry.has_administrator()
