"""mrkdwn of anyone's making: what it may become, whatever is in it."""

import html
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import canned
from .conftest import Opener, Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MARKS = ("<", ">", "|", "^", "```", "`", "*", "_", "~", "\n", "> ", " ", "█", "a")
TOKENS = ("!here", "!channel", "@U0ADMIN", "#C01MAILOPS", "!date^1^{time}^", ":warning:")
ADDRESSES = ("javascript:x", "https://a.b/c", "data:text/html,x", "mailto:a@b")
TRICKS = ("&lt;", "&amp;", "&gt;", "<script>", "<img src=x onerror=y>", "\u202e", "\u0000")
PIECES = st.sampled_from([*MARKS, *TOKENS, *ADDRESSES, *TRICKS])
TEXTS = st.lists(
    st.one_of(
        st.lists(PIECES, max_size=30).map("".join),
        st.text(alphabet=st.characters(codec="utf-8"), max_size=40),
    ),
    min_size=1,
    max_size=30,
)
# Render each text and tell what it became.
RENDER = """
async (texts) => {
  const { mrkdwn } = await import("/static/mrkdwn.js");
  const people = { me: "U1", userName: (id) => id, channelName: (id) => id };
  return texts.map((text) => {
    const box = document.createElement("div");
    box.append(mrkdwn(text, people));
    const all = [...box.querySelectorAll("*")];
    return {
      tags: all.map((node) => node.localName),
      handlers: all.flatMap((node) => node.getAttributeNames()).filter((n) => n.startsWith("on")),
      links: [...box.querySelectorAll("[href]")].map((node) => new URL(node.href).protocol),
      live: box.querySelectorAll("a, time, .mention").length,
      text: box.textContent,
    };
  });
}
"""
ALLOWED = {"div", "blockquote", "pre", "code", "bdi", "strong", "em", "s", "span", "a", "time"}


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@pytest_asyncio.fixture(loop_scope="module")
async def opened(visit: Opener) -> Visit:
    return await visit(canned.state(canned.said(1, canned.ADMIN, "hi")))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(texts=TEXTS)
async def test_no_text_becomes_more_than_formatting(opened: Visit, texts: list[str]) -> None:
    page = opened.page
    rendered: list[dict[str, Any]] = await page.evaluate(RENDER, texts)
    for text, shown in zip(texts, rendered, strict=True):
        assert set(shown["tags"]) <= ALLOWED, text
        assert shown["handlers"] == [], text
        assert set(shown["links"]) <= {"http:", "https:", "mailto:"}, text
        assert not set(shown["text"]) & {"\u202e", "\u0000"}, text
    guarded = await page.evaluate(RENDER, [escaped(text) for text in texts])
    for text, shown in zip(texts, guarded, strict=True):
        assert shown["live"] == 0, f"escaped text became a link or a mention: {text!r}"


async def test_formatting_reads_as_slack_says(opened: Visit) -> None:
    cases = {
        "*b* _i_ ~s~ `c`": ["strong", "em", "s", "code"],
        "*b _bi_*": ["strong", "em"],
        "2*3*4 a_b_c": [],
        "* no * _ no _": [],
        "`*not bold*`": ["code"],
        "```\na *b*\n```": ["pre"],
        "&gt; one\n> two\nthree": ["blockquote", "div"],
        "<https://example.com/a_b_c|_x_>": ["a"],
        "<!date^1764000000^{date_num}|then>": ["time"],
        "<ftp://example.com|x>": [],
    }
    rendered = await opened.page.evaluate(RENDER, list(cases))
    for (text, wanted), shown in zip(cases.items(), rendered, strict=True):
        tags = [tag for tag in shown["tags"] if tag not in {"bdi", "div", "span"}]
        assert tags == [tag for tag in wanted if tag != "div"], text
    texts = dict(zip(cases, (html.unescape(shown["text"]) for shown in rendered), strict=True))
    assert texts["2*3*4 a_b_c"] == "2*3*4 a_b_c"
    assert texts["```\na *b*\n```"] == "a *b*"
    assert texts["&gt; one\n> two\nthree"] == "one\ntwothree"
