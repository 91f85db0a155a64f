"""The forms that confirm what is done to one account."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.elements import Bold, Form, Paragraph, Small, Values, Write, cut, rich, say, visible
from services.errors import BadArgument
from services.language import later, tr
from services.mail.port import MAX_ADDRESS
from services.pipeline import Proposal
from services.targets import Target

_ADDRESS = "address"


def stop(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    """Ask before an account is stopped."""
    return _asked(
        proposal,
        tr("Stop sending?"),
        later("{account} can no longer send; it still receives."),
        tr("What it has waiting is held, where the server can. This can be undone."),
        tr("Stop sending"),
    )


def enable(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    """Ask before an account may send and receive again."""
    return _asked(
        proposal,
        tr("Enable the account?"),
        later("{account} can send and receive."),
        tr("Held messages stay held. Change the password first if it leaked."),
        tr("Enable"),
    )


def password(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    """Ask before a new password is set."""
    return _asked(
        proposal,
        tr("Set a new password?"),
        later(
            "{account} gets a new password, which is made now. Whoever uses the old one "
            "can no longer log in."
        ),
        proposal.note,
        tr("Set it"),
    )


def end_sessions(
    proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]
) -> Form:
    """Ask before sessions are ended."""
    return _asked(
        proposal,
        tr("End its sessions?"),
        later("All that is open as {account} ends."),
        tr("Whoever has the password can log in again: set a new one first."),
        tr("End them"),
    )


def delete_account(
    proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]
) -> Form:
    """Ask before an account is deleted, and have its address typed."""
    account = visible(proposal.target.account or "")
    return Form(
        tr("Delete the account?"),
        (
            Paragraph(
                rich(
                    "{account} is deleted on {server}, with all its mail. This cannot be undone.",
                    account=Bold(account),
                    server=proposal.server,
                )
            ),
            Small(say(proposal.note)),
        ),
        (Write(_ADDRESS, tr("Type its address to confirm"), longest=MAX_ADDRESS),),
        tr("Delete it"),
        proposal.intent_id,
    )


def _asked(proposal: Proposal, title: str, told: str, note: str, yes: str) -> Form:
    """Return a form that asks about one account, with nothing to choose."""
    account = Bold(visible(proposal.target.account or ""))
    return Form(
        title,
        (Paragraph(rich(told, account=account)), Small(say(note))),
        (),
        yes,
        proposal.intent_id,
    )


def amend_delete_account(target: Target, values: Values) -> Target:
    """Return the target as it is. Raises BadArgument unless its address was typed."""
    typed = next(iter(values.get(_ADDRESS, ())), "").strip()
    if typed.casefold() != (target.account or "").casefold():
        if not typed:
            raise BadArgument(tr("Nothing typed is the account's address. Nothing was deleted."))
        raise BadArgument(
            tr("“{text}” is not the account's address. Nothing was deleted.", text=cut(typed, 60))
        )
    return target
