"""The forms that confirm what is done to an account for good."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.elements import Bold, Form, Paragraph, Small, Values, Write, cut, say, visible
from services.errors import BadArgument
from services.mail.port import MAX_ADDRESS
from services.pipeline import Proposal
from services.targets import Target

_ADDRESS = "address"


def password(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    """Ask before a new password is set."""
    return Form(
        "Set a new password?",
        (
            Paragraph(
                say(
                    Bold(visible(proposal.target.account or "")),
                    " gets a new password, which is made now. Whoever uses the old one can no "
                    "longer log in.",
                )
            ),
            Small(say(proposal.note)),
        ),
        (),
        "Set it",
        proposal.intent_id,
    )


def end_sessions(
    proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]
) -> Form:
    """Ask before sessions are ended."""
    return Form(
        "End its sessions?",
        (
            Paragraph(
                say("All that is open as ", Bold(visible(proposal.target.account or "")), " ends.")
            ),
            Small(say("Whoever has the password can log in again: set a new one first.")),
        ),
        (),
        "End them",
        proposal.intent_id,
    )


def delete_account(
    proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]
) -> Form:
    """Ask before an account is deleted, and have its address typed."""
    account = visible(proposal.target.account or "")
    return Form(
        "Delete the account?",
        (
            Paragraph(
                say(
                    Bold(account),
                    f" is deleted on {proposal.server}, with all its mail. This cannot be undone.",
                )
            ),
            Small(say(proposal.note)),
        ),
        (Write(_ADDRESS, "Type its address to confirm", longest=MAX_ADDRESS),),
        "Delete it",
        proposal.intent_id,
    )


def amend_delete_account(target: Target, values: Values) -> Target:
    """Return the target as it is. Raises BadArgument unless its address was typed."""
    typed = next(iter(values.get(_ADDRESS, ())), "").strip()
    if typed.casefold() != (target.account or "").casefold():
        said = f"“{cut(typed, 60)}” is not" if typed else "Nothing typed is"
        raise BadArgument(f"{said} the account's address. Nothing was deleted.")
    return target
