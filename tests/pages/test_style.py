"""The colours of the pages: legible in daylight and in the dark (WCAG 2.1, level AA)."""

import re

import pytest

from services.search.pages import STATIC

LEGIBLE = 4.5
"""Contrast of text with what is behind it, WCAG 2.1 criterion 1.4.3."""
VISIBLE = 3.0
"""Contrast of the borders of fields and of the focus ring, criterion 1.4.11."""

TONES = ("travail", "sante", "protection", "pays", "organisation")
TEXT_ON = [
    *((text, back) for text in ("ink", "soft", "link") for back in ("paper", "shade")),
    ("visited", "paper"),
    ("on-accent", "accent"),
    ("ink", "highlight"),
    ("ink", "notice"),
    *((tone, "paper") for tone in TONES),
    *((tone, f"{tone}-back") for tone in TONES),
    *(("ink", f"{tone}-back") for tone in TONES),
]


def schemes() -> dict[str, dict[str, str]]:
    """The colours by name, in daylight and in the dark."""
    style = STATIC["valise.css"].content.decode()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    named = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", rules)) for rules in (light, dark)]
    return {"light": named[0], "dark": named[0] | named[1]}


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(scheme: str) -> None:
    colours = schemes()[scheme]
    weak = {
        (text, back): round(contrast(colours[text], colours[back]), 2)
        for text, back in TEXT_ON
        if contrast(colours[text], colours[back]) < LEGIBLE
    }
    assert not weak


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fields_and_focus_can_be_seen(scheme: str) -> None:
    colours = schemes()[scheme]
    for line in ("edge", "accent"):
        assert contrast(colours[line], colours["paper"]) >= VISIBLE


def test_nothing_is_fetched_by_the_style_sheet() -> None:
    style = STATIC["valise.css"].content.decode()
    assert "url(" not in style
    assert "@import" not in style
