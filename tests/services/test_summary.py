"""The summary in Markdown: what a sender wrote stands in it as text, and as nothing else."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from services.detection.evidence import Evidence, Habit, Share
from services.models import Incident, IncidentState, Intent, IntentState
from services.summary import literal, summary
from services.words import short

from ..bot.hostile import ATTACKS, HUGE, TEXTS
from .bench import Bench

# With what most places add to CommonMark.
_READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
#: What a summary is made of; with what a sender wrote it must not become more.
_OURS = {"heading", "paragraph", "bullet_list", "list_item", "inline", "text", "strong"}


def _tokens(markdown: str) -> Iterator[Token]:
    for token in _READER.parse(markdown):
        yield token
        yield from token.children or ()


def _kinds(markdown: str) -> set[str]:
    return {
        token.type.removesuffix("_open").removesuffix("_close").removesuffix("_special")
        for token in _tokens(markdown)
    }


def _lines(markdown: str) -> list[str]:
    """Return what a reader sees, line by line."""
    return [
        "".join(child.content for child in token.children or ())
        for token in _READER.parse(markdown)
        if token.type == "inline"
    ]


_MARKED = st.text("abw./:@#*_`~[]()<>!&|\\-+=0123 .,;$^{}\"'", max_size=40)


@given(TEXTS)
@example("\\")
@example("&copy; &#35;")
@example("1. one\n- two\n# three")
@example("| a | b |\n|---|---|\n")
def test_any_text_is_shown_as_it_is_and_in_one_line(text: str) -> None:
    markdown = f"- about {literal(text)}."
    assert _kinds(markdown) <= _OURS
    (seen,) = _lines(markdown)
    wanted = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    assert seen == f"about {short(wanted.strip(), 300)}."


@given(_MARKED)
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
        "12:30",
        "anna.keller@example.com",
        "“Your parcel 4839 is waiting: confirm your address”",
    ],
)
def test_what_markdown_gives_no_meaning_is_not_marked(text: str) -> None:
    assert literal(text) == text


@pytest.mark.parametrize(
    "text", ["http://list.invalid/", "www.list.invalid", "@bob", "#12", ":boom:", ":100:", "$x$"]
)
def test_links_people_issues_and_emoji_stay_words(text: str) -> None:
    assert "\\" in literal(text)


async def test_nothing_that_a_sender_or_a_person_is_called_adds_to_the_summary(
    bench: Bench,
) -> None:
    made_of = [token.type for token in _READER.parse(await _summary(bench, "plain"))]
    for text in (*ATTACKS, *HUGE):
        hostile = await _summary(bench, text)
        assert _kinds(hostile) <= _OURS, text
        assert [token.type for token in _READER.parse(hostile)] == made_of, text
        assert all(char.isprintable() or char == "\n" for char in hostile), text


async def _summary(bench: Bench, text: str) -> str:
    """Return the summary of an incident in which everything that may be any text is this one."""
    now = bench.clock.now()
    # As the database gives it back: a text that it cannot keep never came so far.
    text = text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
    evidence = Evidence(
        taken_at=now,
        window=300,
        messages=60,
        peak=60,
        recipients=60,
        addresses=(Share(name=text, messages=60),),
        address_count=1,
        network_count=1,
        subject=f"Re: {text}",
        subject_messages=60,
        first_at=now - timedelta(minutes=5),
        last_at=now,
        total=60,
        habit=Habit(),
        reasons=(f"sent {text}", f"from {text}"),
    )
    async with bench.store.session() as session:
        incident = Incident(
            server=text,
            sender=text,
            state=IncidentState.ACKNOWLEDGED,
            opened_at=now,
            updated_at=now,
            evidence=evidence.model_dump_json(),
            score=90,
            state_by=text or "?",
        )
        session.add(incident)
        await session.flush()
        session.add(
            Intent(
                id=f"intent-{incident.id}",
                action="stop",
                server="mail",
                incident_id=incident.id,
                chat="slack",
                channel="C1",
                created_at=now,
                expires_at=now,
                target="{}",
                state=IntentState.DONE,
                claimed_name=text,
                claimed_at=now,
                finished_at=now,
                summary=text,
            )
        )
        return await summary(session, incident)
