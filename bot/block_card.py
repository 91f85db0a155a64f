"""The card that lists the blocked addresses, and what block lists say of our own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.elements import (
    Bold,
    Button,
    Card,
    Menu,
    Moment,
    Paragraph,
    Points,
    Row,
    Section,
    Small,
    Text,
    named,
    rich,
    richn,
    say,
)
from bot.look_cards import below, foot
from services.language import tr, trn
from services.mail.port import Block
from services.models import Listing
from services.words import show_network

#: Blocks on a page: more of them, with their buttons, are more than every chat's messages hold.
PER_PAGE = 6


@dataclass(frozen=True, slots=True)
class Blocked:
    """One block: who did it or why, and how often it has refused somebody, if that is known."""

    block: Block
    by: str
    refused: int | None


@dataclass(frozen=True, slots=True)
class Blocks:
    """A page of the block list. ``buttons`` are by their slots."""

    server: str
    page: Sequence[Blocked]
    offset: int
    total: int
    listings: Sequence[Listing]
    zones: int  # how many lists are asked about our own addresses
    taken_at: datetime
    lacking: tuple[str, ...]
    buttons: Mapping[str, Button]
    extend: Menu | None = None


def blocks(shown: Blocks) -> Card:
    """Return a page of the block list."""
    sections: list[Section] = []
    if not shown.total:
        sections.append(Paragraph(rich("No address is blocked.")))
    else:
        last = shown.offset + len(shown.page)
        networks = Bold(trn("{n} blocked network", "{n} blocked networks", shown.total))
        sections.append(
            Paragraph(
                rich(
                    "{networks} · {first} to {last}, newest first, for SMTP only",
                    networks=networks,
                    first=shown.offset + 1,
                    last=last,
                )
                if shown.total > len(shown.page)
                else rich("{networks}, newest first, for SMTP only", networks=networks)
            )
        )
    for number, blocked in enumerate(shown.page):
        sections.append(_block(blocked, shown.buttons.get(f"unblock-{number}")))
    sections += _listings(shown)
    sections += foot(shown.server, shown.taken_at, shown.lacking)
    controls = [button for button in below(shown.buttons) if not button.slot.startswith("unblock-")]
    return Card(
        tr("Blocked on {server}", server=named(shown.server)),
        tuple(sections),
        (*((shown.extend,) if shown.extend else ()), *controls),
        # An entry that was picked is not told again when it is picked again: "Refresh" frees it.
        turn=int(shown.taken_at.timestamp()) % 1_000_000_000,
        fallback=trn("{n} blocked network", "{n} blocked networks", shown.total),
    )


def _block(blocked: Blocked, button: Button | None) -> Section:
    block = blocked.block
    since = Moment(block.since)
    about = (
        rich("since {since}, until {until}", since=since, until=Moment(block.until))
        if block.until
        else rich("since {since}, until somebody lifts it", since=since)
    )
    if blocked.refused is not None:
        refused = trn("refused {n} time", "refused {n} times", blocked.refused)
        about = (*about, *say(f" · {refused}"))
    if blocked.by.strip():
        about = (*about, *say(f" · {named(blocked.by)}"))
    name = show_network(block.network)
    if button is None:
        return Paragraph(say(Bold(name), " · ", *about))
    return Row(say(Bold(name), "\n", *about), button)


def _listings(shown: Blocks) -> list[Section]:
    """Return what block lists say of the server's own addresses."""
    if not shown.zones:
        return []
    if not shown.listings:
        waits = richn(
            "{n} block list will be asked about the server's own addresses.",
            "{n} block lists will be asked about the server's own addresses.",
            shown.zones,
        )
        return [Small(waits)]
    listed = [row for row in shown.listings if row.since is not None]
    failed = [row for row in shown.listings if row.error]
    sections: list[Section] = []
    if listed:
        sections.append(Paragraph(say(Bold(tr("Our own addresses on block lists")))))
        sections.append(Points(tuple(_listed(row) for row in listed)))
    elif said := {row.zone for row in shown.listings} - {row.zone for row in failed}:
        # Of the others it is not known.
        newest = max(row.checked_at for row in shown.listings if row.zone in said)
        sections.append(
            Small(
                richn(
                    "None of our own addresses is on the {n} block list asked, as of {moment}",
                    "None of our own addresses is on the {n} block lists asked, as of {moment}",
                    len(said),
                    moment=Moment(newest),
                )
            )
        )
    for sentence in dict.fromkeys(row.error for row in failed):
        sections.append(Small(say(f"{sentence}.")))
    return sections


def _listed(row: Listing) -> Text:
    address, zone, said = Bold(row.address), named(row.zone), named(row.said)
    if not row.since:
        return rich("{address} on {zone}: {said}", address=address, zone=zone, said=said)
    return rich(
        "{address} on {zone}, since {since}: {said}",
        address=address,
        zone=zone,
        since=Moment(row.since),
        said=said,
    )
