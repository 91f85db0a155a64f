"""The forms that confirm what is done to an account for good."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.elements import Bold, Form, Paragraph, Small, Values, Write, cut, rich, say, visible
from services.errors import BadArgument
from services.language import tr
from services.mail.port import MAX_ADDRESS
from services.pipeline import Proposal
from services.targets import Target

_ADDRESS = "address"


def password(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    """Ask before a new password is set."""
    return Form(
        tr("Set a new password?"),
        (
            Paragraph(
                rich(
                    "{account} gets a new password, which is made now. Whoever uses the old one "
                    "can no longer log in.",
                    account=Bold(visible(proposal.target.account or "")),
                )
            ),
            Small(say(proposal.note)),
        ),
        (),
        tr("Set it"),
        proposal.intent_id,
    )


def end_sessions(
    proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]
) -> Form:
    """Ask before sessions are ended."""
    return Form(
        tr("End its sessions?"),
        (
            Paragraph(
                rich(
                    "All that is open as {account} ends.",
                    account=Bold(visible(proposal.target.account or "")),
                )
            ),
            Small(rich("Whoever has the password can log in again: set a new one first.")),
        ),
        (),
        tr("End them"),
        proposal.intent_id,
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
