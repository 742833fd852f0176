"""Marked passages: where a reader sees why a note was found."""

from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from services.search.index import FRAGMENTS, SNIPPET
from services.search.index.analysis import OTHER
from services.search.index.embedded_query import marker
from services.search.index.highlight import CONTEXT, tidy
from services.search.index.wanted import wanted


def fragments(typed: str, text: str) -> tuple[str, ...]:
    found = marker(wanted(typed), french=True)
    return found.fragments(text) if found else ()


def whole(typed: str, text: str, *, french: bool = True) -> tuple[str, ...]:
    found = marker(wanted(typed), french=french)
    return found.whole(text) if found else ()


def plain(marked: str) -> str:
    return unescape(marked.replace("<mark>", "").replace("</mark>", ""))


def test_a_subject_is_marked_whole_or_not_at_all() -> None:
    assert whole("retraite", "Retraites : l'âge") == ("<mark>Retraites</mark> : l&#x27;âge",)
    assert whole("chômage", "Retraites : l'âge") == ()


def test_a_phrase_with_an_elided_article_is_marked_from_end_to_end() -> None:
    assert whole("« âge de la retraite »", "L’âge d'une retraite, l’âge de la retraite") == (
        "L’âge d&#x27;une retraite, l’<mark>âge de la retraite</mark>",
    )


def test_in_another_language_the_very_words_are_marked_and_apostrophes_part_them() -> None:
    text = "Renten, Rente: l'assicurazione d'invalidità"
    assert whole("rente", text, french=False) == (
        "Renten, <mark>Rente</mark>: l&#x27;assicurazione d&#x27;invalidità",
    )
    assert whole('"d\'invalidita"', text, french=False) == (
        "Renten, Rente: l&#x27;assicurazione <mark>d&#x27;invalidità</mark>",
    )


def test_marks_that_overlap_do_not_nest() -> None:
    (marked,) = whole(
        '"assurance maladie" "maladie professionnelle"', "assurance maladie professionnelle"
    )
    assert marked == "<mark>assurance maladie</mark><mark> professionnelle</mark>"


def test_a_fragment_begins_and_ends_with_whole_words() -> None:
    body = (
        "Le régime général des salariés du commerce. " * 10 + "Une grève. " + "Fin de partie. " * 40
    )
    (fragment,) = fragments("grève", body)
    assert len(plain(fragment)) <= SNIPPET
    assert plain(fragment) in body
    assert fragment.index("<mark>") <= CONTEXT
    at = body.index(plain(fragment))
    assert body[at - 1] == " "
    assert body[at + len(plain(fragment))] == " "


def test_a_fragment_does_not_begin_in_the_paragraph_above() -> None:
    body = "Référence : ROM-2026-0811\n\nLe taux de chômage recule.\nLe chômage des jeunes aussi."
    assert fragments("taux", body)[0].startswith("Le <mark>taux</mark>")
    assert fragments("jeunes", body)[0].startswith("Le taux de chômage recule.")
    assert fragments("ROM", body)[0].startswith("Référence")


def test_the_fragments_with_most_different_words_are_chosen_and_shown_in_order() -> None:
    gap = "La suite du rapport parle d'autre chose. " * 10
    body = gap.join(
        ["Une grève.", "Une grève.", "Une grève, un accord.", "Un accord.", "Grève, accord."]
    )
    chosen = fragments("grève accord", body)
    assert len(chosen) == FRAGMENTS
    assert [fragment.count("<mark>") for fragment in chosen] == [1, 2, 2]


def test_an_engines_fragment_gets_our_form() -> None:
    assert tidy("de <mark>l&#x27;emploi</mark> &lt;b&gt; et&#x2F;ou") == (
        "de l&#x27;<mark>emploi</mark> &lt;b&gt; et/ou"
    )
    assert tidy("abc <mark>def</mark> ghi", 5) == "abc <mark>d</mark>"
    assert tidy("<mark>d&#x27;anno</mark>", chain=OTHER) == "<mark>d&#x27;anno</mark>"


@given(
    st.lists(
        st.sampled_from(["grève ", "l’accord ", "<b>", "&", "\n", "x" * 90, "été", " ", "de la "])
    ).map("".join)
)
def test_fragments_are_short_safe_and_taken_from_the_text(body: str) -> None:
    shown = fragments('grève OU "accord de la grève" OU été', body)
    assert len(shown) <= FRAGMENTS
    at = 0
    for fragment in shown:
        bare = plain(fragment)
        assert 0 < len(bare) <= SNIPPET
        at = body.index(bare, at) + 1
        left = fragment.replace("<mark>", "").replace("</mark>", "")
        assert "<" not in left
        assert fragment.count("<mark>") == fragment.count("</mark>") > 0
    assert bool(shown) == ("grève" in body or "été" in body) or not shown
