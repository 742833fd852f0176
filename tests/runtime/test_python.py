"""Which Pythons lack security patches."""

import sys

import pytest

from services.runtime import python


@pytest.mark.parametrize("version", [(3, 11, 7), (3, 11, 15), (3, 12, 13), (3, 13, 0)])
def test_an_old_one_is_told_of(version: tuple[int, ...]) -> None:
    said = python.complaint(version)
    assert said is not None
    assert "\n" not in said
    assert f"Python {'.'.join(map(str, version))} " in said
    assert f"{version[0]}.{version[1]}.{python.PATCHED[version[0], version[1]]}" in said


@pytest.mark.parametrize("version", [(3, 11, 16), (3, 12, 14), (3, 13, 18), (3, 14, 0)])
def test_a_mended_one_is_not(version: tuple[int, ...]) -> None:
    assert python.complaint(version) is None


def test_each_version_that_is_admitted_is_in_the_table() -> None:
    assert {(3, minor) for minor in (11, 12, 13)} == set(python.PATCHED)
    assert sys.version_info[:2] in python.PATCHED
