"""Text from elsewhere acts on no terminal, and JSON says the same as before."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.visible import unseen, visible

HOSTILE = ("Cc", "Cf", "Cs", "Zl", "Zp")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;PWNED\x07", r"\u001b]0;PWNED\u0007"),
        ("\x9b31m", r"\u009b31m"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("a\r\nb", r"a\u000d\u000ab"),
        ("a\u2028b", r"a\u2028b"),
        ("\U000e0041", r"\udb40\udc41"),
        ("\ud800", r"\ud800"),
        ("50\u202f% — « né »\u00a0: œ 😀", "50\u202f% — « né »\u00a0: œ 😀"),
    ],
)
def test_signs_that_act_are_written_out_and_all_others_stay(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(codec=None)))
def test_no_text_keeps_a_sign_that_acts_and_json_says_the_same(text: str) -> None:
    shown = visible(text)
    assert not any(unicodedata.category(sign) in HOSTILE for sign in shown)
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text
    assert not any(map(unseen, shown))


def test_the_lines_of_what_has_several_are_kept_where_that_is_said() -> None:
    assert visible("a\n\x1b\tb", keep="\n\t") == "a\n\\u001b\tb"
