"""Where the author's declared tags and the classifier's found ones differ. Pure.

Declared tags are what a post says of its own note. They filter nothing and replace nothing; a
reader sees where they differ from what the text was found to say.
"""

from collections.abc import Iterable

from schemas.answers import Disagreement, TagCodes
from schemas.classification import Classification, ThemeTag
from schemas.note import Note
from schemas.vocabulary import Role


def disagreement(note: Note, found: Classification) -> Disagreement | None:
    """The tags that only one side has; None where the author declared none, or both agree.

    Themes and countries are compared each by itself, and only where the author declared some. A
    sub-theme found under a theme that the author declared is a detail, not a difference; a country
    counts as found where the note is about it.
    """
    declared = list(dict.fromkeys(note.declared_themes))
    known = set(_codes(found.themes))
    told = {code.partition(".")[0] for code in declared}
    about = [tag.country for tag in found.countries if tag.role is Role.ABOUT]
    countries = list(dict.fromkeys(note.declared_countries))
    declared_only = TagCodes(
        themes=tuple(code for code in declared if code not in known),
        countries=tuple(code for code in countries if code not in about),
    )
    found_only = TagCodes(
        themes=tuple(tag.theme for tag in found.themes if declared and tag.theme not in told),
        countries=tuple(code for code in about if countries and code not in countries),
    )
    if declared_only == found_only == TagCodes():
        return None
    return Disagreement(declared_only=declared_only, found_only=found_only)


def _codes(tags: Iterable[ThemeTag]) -> Iterable[str]:
    for tag in tags:
        yield tag.theme
        yield from (f"{tag.theme}.{sub}" for sub in tag.subthemes)
