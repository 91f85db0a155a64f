"""Discord's markdown of anyone's making: what it reads as, and what it may become."""

from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import canned
from .conftest import Opener, Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MARKS = (*"*_~|`<>[]()#-@:\\\n ", "**", "__", "~~", "||", "```", "> ", ">>> ", "-# ", "1. ", "a")
TOKENS = ("@everyone", "@here", "<@900>", "<#9>", "<@&9>", "<t:1:R>", "<t:9999999999999:F>")
ADDRESSES = (
    "javascript:x",
    "https://a.b/c",
    "data:text/html,x",
    "<mailto:a@b.cd>",
    "](https://x.y)",
)
TRICKS = ("<script>", "<img src=x onerror=y>", "\u202e", "\u0000", "&lt;", "<:e:12>", "</a:1>")
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
  const { markdown } = await import("/static/markdown.js");
  const people = {
    me: "7", userName: () => "Otto", roleName: () => "role", channelName: () => "ops",
  };
  const outline = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    const inner = [...node.childNodes].map(outline).join("");
    if (["bdi", "div"].includes(node.localName) && !node.className.startsWith("md")) return inner;
    if (node.className.startsWith("spoiler-text")) return inner;
    return `[${node.className.split(" ")[0] || node.localName} ${inner}]`;
  };
  return texts.map((text) => {
    const box = document.createElement("div");
    box.append(markdown(text, people));
    const all = [...box.querySelectorAll("*")];
    return {
      outline: [...box.childNodes].map(outline).join("¶"),
      tags: all.map((node) => node.localName),
      handlers: all.flatMap((node) => node.getAttributeNames()).filter((n) => n.startsWith("on")),
      links: [...box.querySelectorAll("[href]")].map((node) => new URL(node.href).protocol),
      live: box.querySelectorAll("a, time, .mention, strong, em, u, s, code, .spoiler").length,
      blocks: box.querySelectorAll("h2, h3, h4, ul, ol, blockquote, pre, .md-small").length,
      text: box.textContent,
    };
  });
}
"""
ALLOWED = {
    *("div", "blockquote", "pre", "code", "bdi", "strong", "em", "u", "s", "span", "a", "time"),
    *("h2", "h3", "h4", "ul", "ol", "li"),
}
CASES = {
    # Within a line
    "**b** *i* _i_ __u__ ~~s~~ ||x|| `c`": (
        "[strong b] [em i] [em i] [u u] [s s] [spoiler x] [code c]"
    ),
    "***both***": "[strong [em both]]",
    "**b _bi_**": "[strong b [em bi]]",
    "2*3*4": "2[em 3]4",
    "2 * 3 * 4": "2 * 3 * 4",
    "a_b_c": "a_b_c",
    "**open": "**open",
    r"\*a\* \_b\_ \`c\` \<@1> \# \\": r"*a* _b_ `c` <@1> # \ ".rstrip(),
    r"C:\temp \n": r"C:\temp \n",
    "`**raw** \\* <@1>`": r"[code **raw** \* <@1>]",
    "``a`b`` `open": "[code a`b] `open",
    "**a\nb**": "[strong a\nb]",
    # Who and when
    "<@7> <@!7> <#9> <@&9> </spool stop:12>": (
        "[mention @Otto] [mention @Otto] [mention #ops] [mention @role] [mention /spool stop]"
    ),
    "@everyone @here everyone@here.org": (
        "[mention @everyone] [mention @here] everyone[mention @here].org"
    ),
    "<t:0:D> <t:0:T> <t:0:t>": "[stamp 1 January 1970] [stamp 00:00:00] [stamp 00:00]",
    "<t:0:q> <t:99999999999999>": "<t:0:q> <t:99999999999999>",
    "<:spool:123> :warning: :no_such_name:": "[emoji-name :spool:] ⚠️ :no_such_name:",
    # Links
    "https://a.b/c_d_e. (https://a.b/(x))": "[link https://a.b/c_d_e]. ([link https://a.b/(x)])",
    '[**x**](https://a.b "t") [y](<https://a.b>)': "[link [strong x]] [link y]",
    "[x](javascript:alert(1)) <javascript:x>": "[x](javascript:alert(1)) <javascript:x>",
    "<https://a.b> <a@b.cd>": "[link https://a.b] [link a@b.cd]",
    r"\[x](a) https\://a.b": "[x](a) https://a.b",
    # Kinds of line
    "# one\n## two\n### three\n#### four": "[md-h1 one]¶[md-h2 two]¶[md-h3 three]¶#### four",
    "#one\n#": "#one\n#",
    "-# small *i*\nnext": "[md-small small [em i]]¶next",
    "> a\n> **b**\nc": "[blockquote a\n[strong b]]¶c",
    ">a": ">a",
    ">>> a\nb\n# c": "[blockquote a\nb[md-h1 c]]",
    "- a\n- b\n  - c\n* d\ne": "[ul [li a][li b[ul [li c]]][li d]]¶e",
    "3. a\n4. b": "[ol [li a][li b]]",
    r"\- a": "- a",
    "-a": "-a",
    "x ```js\n# **a**\n- b\n``` y": "x [pre [code # **a**\n- b]] y",
    "a\n\nb\n## c": "a\n\nb¶[md-h2 c]",
}


@pytest_asyncio.fixture(loop_scope="module")
async def opened(visit: Opener) -> Visit:
    return await visit(canned.state(canned.said(1, canned.ADA, "hi")))


def guarded(text: str) -> str:
    """Escape everything that could be formatting, as the bot must."""
    return "".join(f"\\{c}" if c.isascii() and not c.isalnum() and c > " " else c for c in text)


async def test_formatting_reads_as_discord_says(opened: Visit) -> None:
    rendered = await opened.page.evaluate(RENDER, list(CASES))
    for (text, wanted), shown in zip(CASES.items(), rendered, strict=True):
        assert shown["outline"] == wanted, text


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(texts=TEXTS)
async def test_no_text_becomes_more_than_formatting(opened: Visit, texts: list[str]) -> None:
    rendered: list[dict[str, Any]] = await opened.page.evaluate(RENDER, texts)
    for text, shown in zip(texts, rendered, strict=True):
        assert set(shown["tags"]) <= ALLOWED, text
        assert shown["handlers"] == [], text
        assert set(shown["links"]) <= {"http:", "https:", "mailto:"}, text
        assert not set(shown["text"]) & {"\u202e", "\u0000"}, text
    escaped = await opened.page.evaluate(RENDER, [guarded(text) for text in texts])
    for text, shown in zip(texts, escaped, strict=True):
        assert shown["live"] == 0, f"escaped text became formatting: {text!r}"
        assert shown["blocks"] == 0, f"escaped text became a kind of line: {text!r}"


async def test_a_text_of_nothing_but_marks_is_rendered_at_all(opened: Visit) -> None:
    tricks = ["*" * 4000, "**_" * 1300, "[" * 4000, "`" * 3999, "> " * 2000, "||~~" * 1000]
    rendered = await opened.page.evaluate(RENDER, [*tricks, "*a " * 1300, "- " * 2000])
    for trick, shown in zip(tricks, rendered, strict=False):
        assert set(shown["tags"]) <= ALLOWED, trick[:9]


async def test_a_moment_stands_in_the_readers_own_zone(visit: Opener) -> None:
    said = canned.said(1, canned.ADA, f"at <t:{canned.STAMP}:f>")
    v = await visit(canned.state(said), timezone_id="Asia/Tokyo")
    assert await v.page.locator("time.stamp").inner_text() == "25 November 2025 at 01:00"


async def test_a_spoiler_is_shown_when_asked_for(visit: Opener) -> None:
    v = await visit(canned.state(canned.said(1, canned.ADA, "who: ||Otto||")))
    spoiler = v.page.get_by_role("button", name="Spoiler: press to show")
    assert await v.page.locator(".spoiler-text").is_hidden()
    await spoiler.press("Enter")
    await v.page.locator(".spoiler-text").wait_for()
    assert await v.page.locator(".spoiler-text").inner_text() == "Otto"
