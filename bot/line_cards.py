"""The lines in a thread, and short answers: what was done or asked for, what failed."""

from pydantic import SecretStr

from bot.alert_card import MORE
from bot.elements import (
    Bold,
    Button,
    Card,
    Code,
    Confirm,
    Moment,
    Paragraph,
    Section,
    Small,
    Style,
    Text,
    cut,
    named,
    plain,
    rich,
    say,
    visible,
)
from services.language import later, tr, trn
from services.models import Intent, IntentState
from services.remedies import REMEDIES
from services.targets import Target
from services.words import act, listed, show_network, span

APPROVE_ASKS, APPROVE_YES = later("Approve this?"), later("Approve")
_UNDO = later("Undo")
_NETWORKS = 5  # so many that a second person is asked about are named


def asked_text(intent: Intent) -> str:
    """Return what a second person is asked to approve."""
    target = Target.model_validate_json(intent.target)
    about = cut(target.subject, 120)
    if target.networks:
        # The widest first: whoever approves must not find them in the log alone.
        widest = sorted(target.networks, key=lambda network: network.num_addresses, reverse=True)
        shown = [show_network(network) for network in widest[:_NETWORKS]]
        more = len(widest) - len(shown)
        about = listed([*shown, tr("{n} more", n=more)] if more else shown)
    if target.queue_ids:
        number, what = len(target.queue_ids), about or tr("what was chosen")
        about = (
            trn("{n} message of {who}", "{n} messages of {who}", number, who=what)
            if target.accounts
            else trn(
                "{n} message that matches {what}",
                "{n} messages that match {what}",
                number,
                what=what,
            )
        )
    if target.lasting is not None:
        about = tr("{what} for {span}", what=about, span=span(target.lasting))
    who, doing = named(intent.asked_name or tr("Somebody")), tr(REMEDIES[intent.action].doing)
    why = f"{intent.asked_why[:1].upper()}{intent.asked_why[1:]}."
    if target.permanent:
        asked = tr("{who} asks for {doing}, for good: {about}.", who=who, doing=doing, about=about)
    else:
        asked = tr("{who} asks for {doing}: {about}.", who=who, doing=doing, about=about)
    return f"{asked} {why}"


def asked_line(intent: Intent, approve_id: str, decline_id: str) -> Card:
    """Return the line that waits for a second person."""
    text = asked_text(intent)
    return Card(
        "",
        (
            Paragraph(say("✋ ", text)),
            Small(
                rich(
                    "Somebody else who may do this approves or declines it, or it is given up "
                    "{moment}",
                    moment=Moment(intent.expires_at),
                )
            ),
        ),
        (
            Button(
                "approve",
                tr("Approve…"),
                approve_id,
                Style.PRIMARY,
                Confirm(tr(APPROVE_ASKS), text, tr(APPROVE_YES)),
            ),
            Button("decline", tr("Decline"), decline_id),
        ),
        fallback=f"✋ {text}",
    )


def act_line(intent: Intent, remedy_name: str, undo_id: str | None) -> Card:
    """Return the line that tells of one act: under way, done, failed or taken back."""
    who = Bold(named(intent.claimed_name or intent.asked_name or tr("Somebody")))
    undoing = intent.undo_of is not None
    doing = (
        tr("taking back “{act}”", act=act(remedy_name))
        if undoing
        else tr(REMEDIES[remedy_name].doing)
    )
    told = f" {intent.summary}"
    match intent.state:
        case IntentState.CLAIMED:
            text = (*say("⏳ "), *_under_way(intent, who, doing))
        case IntentState.DONE | IntentState.INTERRUPTED if intent.undone:
            since = rich("{who}, taken back since:", who=who)
            text = (*say("↩️ "), *since, *say(told))
        case IntentState.DONE:
            text = say("↩️ " if undoing else "✔️ ", who, f":{told}")
        case IntentState.INTERRUPTED:
            text = (*say("⚠️ "), *rich("{who} was {doing}.", who=who, doing=doing), *say(told))
        case _ if intent.claimed_by is None and intent.asked_by is not None:
            text = (
                *say("🚫 "),
                *rich("{who} asked for {doing}.", who=who, doing=doing),
                *say(told),
            )
        case _:
            text = (*say("⚠️ "), *rich("{who} was {doing}.", who=who, doing=doing), *say(told))
    buttons: tuple[Button, ...] = ()
    if undo_id is not None:
        label = next((undo for name, _, undo in MORE if name == remedy_name and undo), _UNDO)
        buttons = (Button("undo", tr(label), undo_id),)
    sections: tuple[Section, ...] = (Paragraph(text),)
    if undo_id is not None and intent.undo_until is not None:
        until = rich("Can be undone until {moment}", moment=Moment(intent.undo_until))
        sections = (*sections, Small(until))
    return Card("", sections, buttons, fallback=plain(text))


def _under_way(intent: Intent, who: Bold, doing: str) -> Text:
    if intent.progress is None or intent.progress_of is None:
        return rich("{who} is {doing} …", who=who, doing=doing)
    return rich(
        "{who} is {doing} … {done} of {all}",
        who=who,
        doing=doing,
        done=intent.progress,
        all=intent.progress_of,
    )


def note(text: str) -> Card:
    """Return a line with nothing to press."""
    return Card("", (Paragraph(say(text)),), fallback=visible(text))


def failure(sentence: str) -> Card:
    """Return a failure, for the person who asked."""
    return Card("", (Paragraph(say("⚠️ ", sentence)),), fallback=f"⚠️ {visible(sentence)}")


def success(sentence: str, undo: Button | None = None) -> Card:
    """Return a result, for the person who asked."""
    return Card(
        "",
        (Paragraph(say("✔️ ", sentence)),),
        (undo,) if undo else (),
        fallback=f"✔️ {visible(sentence)}",
    )


def new_password(sentence: str, secret: SecretStr, intent_id: str) -> Card:
    """Return a new password, for who had it made; it must be shown to nobody else."""
    return Card(
        tr("New password"),
        (
            Paragraph(say("✔️ ", sentence)),
            Paragraph(
                rich("The new password: {password}", password=Code(secret.get_secret_value()))
            ),
            Small(rich("It is shown this once and kept nowhere. Pass it on, then close this.")),
        ),
        fallback=tr("A new password was set."),
        once=intent_id,
    )
