"""Each block and element is shown, and what a sender wrote stays text."""

from typing import Any

import pytest

from . import canned
from .canned import message, mrkdwn, option, plain, rich, section, text
from .conftest import Opener

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
OPTIONS = [option("First", "1"), option("Second", "2")]

BLOCKS: list[dict[str, Any]] = [
    {"type": "header", "block_id": "h", "text": plain("A header")},
    {
        "type": "section",
        "block_id": "s",
        "text": mrkdwn("*bold* _italic_ ~gone~ `code` <https://example.com/a|a page>"),
        "fields": [mrkdwn("*Left*\n1"), plain("Right")],
        "accessory": {
            "type": "overflow",
            "action_id": "over",
            "options": OPTIONS,
        },
    },
    {"type": "divider", "block_id": "d"},
    {
        "type": "context",
        "block_id": "c",
        "elements": [mrkdwn("_small_"), {"type": "image", "image_url": PIXEL, "alt_text": "dot"}],
    },
    {
        "type": "image",
        "block_id": "i",
        "image_url": PIXEL,
        "alt_text": "a chart",
        "title": plain("Chart"),
    },
    {
        "type": "actions",
        "block_id": "a",
        "elements": [
            {"type": "button", "action_id": "b", "text": plain("Go"), "style": "primary"},
            {
                "type": "multi_static_select",
                "action_id": "m",
                "placeholder": plain("Several"),
                "options": OPTIONS,
            },
            {
                "type": "static_select",
                "action_id": "g",
                "placeholder": plain("Grouped"),
                "option_groups": [{"label": plain("Group A"), "options": OPTIONS}],
            },
            {"type": "checkboxes", "action_id": "k", "options": OPTIONS},
            {"type": "radio_buttons", "action_id": "r", "options": OPTIONS},
            {"type": "datepicker", "action_id": "p", "initial_date": "2026-02-03"},
        ],
    },
    rich(
        "rt",
        section(
            text("b", bold=True),
            text("i", italic=True),
            text("s", strike=True),
            text("c", code=True),
            {"type": "link", "url": "https://example.com/x", "text": "link"},
            {"type": "user", "user_id": canned.ADMIN},
            {"type": "usergroup", "usergroup_id": "S1"},
            {"type": "channel", "channel_id": canned.CHANNEL},
            {"type": "emoji", "name": "rotating_light", "unicode": "1f6a8"},
            {"type": "date", "timestamp": 1764000000, "format": "{date_num}", "fallback": "x"},
            {"type": "color", "value": "#ff0000"},
            {"type": "broadcast", "range": "here"},
        ),
        {
            "type": "rich_text_list",
            "style": "ordered",
            "indent": 1,
            "elements": [section(text("one"))],
        },
        {"type": "rich_text_preformatted", "elements": [text("pre  formatted")]},
        {"type": "rich_text_quote", "elements": [text("quoted")]},
    ),
    {
        "type": "table",
        "block_id": "t",
        "rows": [
            [{"type": "raw_text", "text": "Sender"}, {"type": "raw_text", "text": "Sent"}],
            [{"type": "raw_text", "text": "anna"}, {"type": "raw_text", "text": "9"}],
        ],
        "column_settings": [{}, {"align": "right"}],
    },
]


async def test_every_block_and_element_is_shown(visit: Opener) -> None:
    files = [
        {"id": "F1", "title": "report.csv", "url": "/member/file/F1"},
        {"id": "F2", "title": "chart", "url": "/member/file/F2", "alt_txt": "Traffic of a week"},
    ]
    v = await visit(canned.state(message(1, blocks=BLOCKS, files=files)))
    page = v.page
    for selector in (
        "h3.header",
        ".section strong",
        ".section em",
        ".section s",
        ".section code",
        ".fields .cell:nth-child(2)",
        "hr.divider",
        ".context em",
        ".context img[alt=dot]",
        "figure.image img[alt='a chart']",
        ".rich ol.indent-1 li",
        ".rich pre",
        ".rich blockquote",
        ".rich .swatch",
        ".rich .mention.broadcast",
        ".rich time[title]",
        "th >> text=Sender",
        "td.align-right >> text=9",
        "input[type=date]",
        "a.file[download='report.csv']",
        ".files img[alt='Traffic of a week']",
    ):
        await page.locator(selector).first.wait_for()
    assert await page.locator(".unsupported").count() == 0
    assert "🚨" in await v.shown(".rich")
    assert "@Ada Brandt" in await v.shown(".rich")
    assert "#mail-ops" in await v.shown(".rich")
    link = page.locator(".section a.link")
    assert await link.get_attribute("href") == "https://example.com/a"
    assert "noopener" in str(await link.get_attribute("rel"))
    widths = await page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert all(widths), "an image was not loaded"


async def test_lines_of_plain_text_stay_lines(visit: Opener) -> None:
    words = plain("Subject: invoice\nfrom anna@example.com")
    blocks = [
        {"type": "section", "block_id": "s", "text": words},
        {"type": "context", "block_id": "c", "elements": [words]},
    ]
    v = await visit(canned.state(message(1, blocks=blocks)))
    assert await v.shown(".section") == words["text"]
    assert await v.shown(".context") == words["text"]


async def test_grouped_multiple_and_ticked_choices_reach_the_app(visit: Opener) -> None:
    v = await visit(canned.state(message(1, blocks=BLOCKS)))
    page = v.page
    await page.get_by_role("button", name="Grouped").click()
    await page.get_by_text("Group A").wait_for()
    await page.get_by_role("option", name="Second").click()
    await page.get_by_role("button", name="Several").click()
    await page.get_by_role("option", name="First").click()
    await page.get_by_role("option", name="Second").click()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="First").click()
    await page.get_by_role("checkbox", name="Second").check()
    await page.get_by_role("radio", name="First").check()
    await page.locator("input[type=date]").fill("2026-05-06")
    await v.api.act("press", 6)
    values = {body["action_id"]: body["value"] for _, body in v.api.acts}
    assert values == {
        "g": {"option": "2"},
        "m": {"options": ["1", "2"]},
        "over": {"option": "1"},
        "k": {"options": ["2"]},
        "r": {"option": "1"},
        "p": {"date": "2026-05-06"},
    }


HOSTILE = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<javascript:window.hit=1|click>",
    "<data:text/html,hit|click>",
    "<a href='javascript:window.hit=1'>x</a>",
    "&lt;!channel&gt; &amp;lt;!here&amp;gt;",
]


async def test_markup_from_outside_stays_text(visit: Opener) -> None:
    words = "\n".join(HOSTILE)
    blocks = [
        {"type": "header", "block_id": "h", "text": plain(words)},
        {"type": "section", "block_id": "m", "text": mrkdwn(words)},
        rich(
            "r",
            section(text(words), {"type": "link", "url": "javascript:window.hit=1", "text": "go"}),
        ),
        {
            "type": "actions",
            "block_id": "a",
            "elements": [
                {"type": "button", "action_id": "b", "text": plain(words), "url": "javascript:hit"}
            ],
        },
    ]
    v = await visit(canned.state(message(1, blocks=blocks)))
    page = v.page
    assert await page.locator("#log :is(script, iframe, a, .mention)").count() == 0
    assert await page.locator("#log .message img:not(.avatar)").count() == 0
    assert HOSTILE[0] in await v.shown(".section")
    assert "<!channel> &lt;!here&gt;" in await v.shown(".section"), "unescaped once, not twice"
    assert HOSTILE[5] in await v.shown(".rich"), "rich text is never unescaped"
    await page.locator(".actions button").click()
    await v.api.act("press")
    assert await page.evaluate("window.hit") is None


async def test_a_break_out_into_a_mention_is_loud(visit: Opener) -> None:
    # What an app that forgot to escape would post for a subject.
    words = "`subject: ` <!channel> ` and <!here>` ```<!everyone>```"
    blocks = [{"type": "section", "block_id": "m", "text": mrkdwn(words)}]
    v = await visit(canned.state(message(1, blocks=blocks)))
    shown = await v.page.locator(".mention.broadcast").all_inner_texts()
    assert shown == ["@channel", "@here", "@everyone"]


async def test_hidden_and_reordering_characters_are_shown_by_number(visit: Opener) -> None:
    trick = "invoice\u202egpj.exe\u0000\u200b\u200b\u0007\U000e0041 👩\u200d💻"
    blocks = [
        {"type": "header", "block_id": "h", "text": plain(trick)},
        {"type": "section", "block_id": "m", "text": mrkdwn(trick)},
        rich("r", section(text(trick, code=True))),
    ]
    v = await visit(canned.state(message(1, blocks=blocks)))
    for place in (".header", ".section", ".rich code"):
        chips = await v.page.locator(f"{place} .codepoint").all_inner_texts()
        assert chips == ["U+202E", "U+0000", "U+200B ×2", "U+0007", "U+E0041"], place
        raw = await v.page.locator(place).first.text_content()
        assert not set(str(raw)) & {"\u202e", "\u0000", "\u200b", "\U000e0041"}, place
    bidi = await v.page.locator(".rich bdi").first.evaluate(
        "(node) => getComputedStyle(node).unicodeBidi"
    )
    assert bidi == "isolate"


async def test_bars_line_up(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    meters = v.page.locator("[data-block=senders] code.meter")
    assert await meters.count() == 5
    widths = await meters.evaluate_all(
        "(nodes) => nodes.map((node) => Math.round(node.getBoundingClientRect().width))"
    )
    assert len(set(widths)) == 1, widths
    first = await meters.first.inner_text()
    assert first == f"{'█' * 11}░  88%"
