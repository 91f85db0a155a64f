"""What a sender wrote is read in the summary as it was written, and as nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from services.summary import literal

_READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_TEXTS = st.text("abw./:@#*_`~[]()<>!&|\\-+=0123 .,;$^{}\"'", max_size=40)


@given(_TEXTS)
def test_markdown_reads_a_text_of_somebody_elses_as_what_it_is(text: str) -> None:
    tokens = _READER.parse(f"- {literal(text)}\n")
    assert [token.type for token in tokens if token.nesting >= 0] in (
        ["bullet_list_open", "list_item_open", "paragraph_open", "inline"],
        ["bullet_list_open", "list_item_open"],
    )
    words = [token for line in tokens if line.type == "inline" for token in line.children or ()]
    assert {token.type for token in words} <= {"text", "text_special"}
    assert "".join(token.content for token in words) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "1,878 messages in 5 min; usual at this hour: 0, at most 7",
        "192.0.2.33",
        "anna.keller@example.com",
        "“Your parcel 4839 is waiting: confirm your address”",
    ],
)
def test_what_markdown_gives_no_meaning_is_not_marked(text: str) -> None:
    assert literal(text) == text


@pytest.mark.parametrize(
    "text", ["http://list.invalid/", "www.list.invalid", "@bob", "#12", ":boom:", "$x$"]
)
def test_links_people_issues_and_emoji_stay_words(text: str) -> None:
    assert "\\" in literal(text)
