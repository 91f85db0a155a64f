"""The forms that confirm an act: what will be done to exactly what, and the choices left."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network

from bot import account_forms
from bot.arguments import read_folder
from bot.elements import (
    Bold,
    Choose,
    Field,
    Form,
    Moment,
    Option,
    Paragraph,
    Section,
    Small,
    Tick,
    Values,
    Write,
    cut,
    named,
    rich,
    richn,
    say,
    visible,
)
from services.errors import BadArgument
from services.language import later_n, tr, trn
from services.mail.port import Network, UserState
from services.message_remedies import DELETED, REVIEW
from services.models import Intent
from services.pipeline import Proposal
from services.targets import Target, describe
from services.words import listed, show_network, span

# A chat's checkboxes hold ten options; the last stands for all that are left.
_TICKS = 10
_REST = "rest"
_LASTING = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_SNOOZES = {
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "24h": timedelta(hours=24),
}
_FOREVER = "lifted"
_MOVED = later_n(
    "{messages} will be moved out of the queue: {which} on {server} as of {moment}. "
    "Later ones are not touched.",
    "{messages} will be moved out of the queue: {which} on {server} as of {moment}. "
    "Later ones are not touched.",
)
_RESTORED = later_n(
    "{messages} will be put back in the queue they came from: {which} on {server} as of {moment}. "
    "Later ones are not touched.",
    "{messages} will be put back in the queue they came from: {which} on {server} as of {moment}. "
    "Later ones are not touched.",
)
_RETRIED = later_n(
    "{messages} will be tried again now: {which} on {server} as of {moment}. "
    "Later ones are not touched.",
    "{messages} will be tried again now: {which} on {server} as of {moment}. "
    "Later ones are not touched.",
)
_DELETED = later_n(
    "{messages} will be deleted: {which} on {server} as of {moment}. Later ones are not touched.",
    "{messages} will be deleted: {which} on {server} as of {moment}. Later ones are not touched.",
)


def ask(proposal: Proposal, now: datetime, *, kept: timedelta, folders: Sequence[str]) -> Form:
    """Return the form that confirms a proposal."""
    return _FORMS[proposal.remedy.name](proposal, now, kept, folders)


def ask_undo(intent: Intent, undo_id: str) -> Form:
    """Return the form that confirms taking an act back."""
    return Form(
        tr("Take this back?"),
        (
            Paragraph(
                rich(
                    "{who} did: {summary}",
                    who=Bold(visible(intent.claimed_name or tr("Somebody"))),
                    summary=visible(intent.summary),
                )
            ),
            Paragraph(rich("Everything is put back as it was before that.")),
        ),
        (),
        tr("Take it back"),
        undo_id,
    )


def about(accounts: Sequence[str]) -> str:
    """Return some accounts in words."""
    names = [named(account) for account in accounts[:3]]
    more = len(accounts) - len(names)
    return listed([*names, tr("{n} more", n=more)] if more else names)


def amend(action: str, target: Target, values: Values) -> Target:
    """Return the target with a form's choices in it. Raises BadArgument on a wrong one."""
    change = _AMENDS.get(action)
    return change(target, values) if change else target


def _messages(proposal: Proposal, now: datetime, message: tuple[str, str]) -> tuple[Section, ...]:
    target = proposal.target
    if target.accounts:
        accounts = about(target.accounts)
        nothing = tr(
            "No message in the spool is of {accounts}, so nothing to do.", accounts=accounts
        )
        which = rich("those of {accounts}", accounts=Bold(accounts))
    else:
        asked = describe(target.query) if target.query else tr("that")
        nothing = tr("No message in the spool matches {asked}, so nothing to do.", asked=asked)
        chosen = visible(describe(target.query)) if target.query else tr("your choice")
        which = rich("those that match {query}", query=Bold(chosen))
    number = len(target.queue_ids)
    if not number:
        raise BadArgument(nothing)
    return (
        Paragraph(
            richn(
                *message,
                number,
                messages=Bold(trn("{n} message", "{n} messages", number)),
                which=which,
                server=proposal.server,
                moment=Moment(now, seconds=True),
            )
        ),
        *(Small(say(sentence)) for sentence in target.left_out[:5]),
    )


def _move(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    wanted = _folder(proposal.target.folder or REVIEW)
    # Another program may have made a folder whose name cannot be asked for here.
    usable = [folder for folder in folders if folder != DELETED and _is_folder(folder)]
    names = list(dict.fromkeys([wanted, REVIEW, *usable]))[:50]
    return Form(
        tr("Move messages?"),
        _messages(proposal, now, _MOVED),
        (
            Choose("folder", tr("To the folder"), tuple(Option(n, n) for n in names), wanted),
            Write("new", tr("Or to a new folder"), tr("letters, digits, - and _")),
        ),
        tr("Move"),
        proposal.intent_id,
    )


def _restore(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    return Form(
        tr("Put messages back?"),
        _messages(proposal, now, _RESTORED),
        (),
        tr("Put back"),
        proposal.intent_id,
    )


def _retry(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    return Form(
        tr("Try messages again?"),
        (
            *_messages(proposal, now, _RETRIED),
            Small(rich("What is delivered cannot be called back.")),
        ),
        (),
        tr("Try again"),
        proposal.intent_id,
    )


def _delete(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    return Form(
        tr("Delete messages?"),
        _messages(proposal, now, _DELETED),
        (
            Choose(
                "how",
                tr("How"),
                (
                    Option(tr("Can be brought back for {span}", span=span(kept)), "kept"),
                    Option(tr("For good, now: cannot be undone (admin)"), "permanent"),
                ),
                "permanent" if proposal.target.permanent else "kept",
            ),
        ),
        tr("Delete"),
        proposal.intent_id,
    )


def _disable(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    state = proposal.target.user_state or UserState.NO_SENDING
    return Form(
        tr("Disable the account?"),
        (
            Paragraph(
                rich(
                    "{account} can no longer send.",
                    account=Bold(visible(proposal.target.account or "")),
                )
            ),
            Small(
                rich("What it has waiting is still delivered; “Stop sending” would hold that too.")
            ),
        ),
        (
            Choose(
                "state",
                tr("Mail to it"),
                (
                    Option(tr("is still received"), UserState.NO_SENDING.value),
                    Option(tr("is refused too"), UserState.REFUSING.value),
                ),
                state.value,
            ),
            _how_long(proposal.target.lasting, tr("until somebody enables it"), "lifted"),
        ),
        tr("Disable"),
        proposal.intent_id,
    )


def _block(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    networks = proposal.target.networks
    named, rest = _split(networks)
    options = [Option(show_network(network), str(number)) for number, network in enumerate(named)]
    if rest:
        label = trn("The other {n} address", "All the other {n} addresses", len(rest))
        options.append(Option(label, _REST))
    fields: tuple[Field, ...] = (
        Tick(
            "networks", tr("Addresses"), tuple(options), tuple(option.value for option in options)
        ),
        _how_long(proposal.target.lasting, tr("until somebody lifts it"), "24h"),
    )
    left_out = tuple(
        Small(rich("Left out: {reason}", reason=sentence)) for sentence in proposal.left_out[:5]
    )
    return Form(
        tr("Block addresses?"),
        (
            Paragraph(
                rich(
                    "SMTP from these is refused, for everybody; open sessions end at their next "
                    "message. Webmail, IMAP and POP are not touched."
                )
            ),
            *left_out,
        ),
        fields,
        tr("Block"),
        proposal.intent_id,
    )


def _how_long(asked: timedelta | None, forever: str, usual: str) -> Choose:
    """Return the choice of how long something lasts; what was typed is among them."""
    choices = [Option(tr("for {span}", span=span(length)), key) for key, length in _LASTING.items()]
    initial = usual
    if asked is not None:
        initial = next((key for key, length in _LASTING.items() if length == asked), "asked")
        if initial == "asked":
            choices.insert(0, Option(tr("for {span}", span=span(asked)), "asked"))
    choices.append(Option(forever, _FOREVER))
    return Choose("lasting", tr("How long"), tuple(choices), initial)


def _unblock(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    names = ", ".join(show_network(network) for network in proposal.target.networks)
    return Form(
        tr("Lift the block?"),
        (Paragraph(rich("{networks} may use SMTP again.", networks=Bold(names))),),
        (),
        tr("Lift"),
        proposal.intent_id,
    )


def _snooze(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    return Form(
        tr("Snooze the incident?"),
        (
            Paragraph(
                rich(
                    "The account goes on sending. The card keeps counting, quietly, and is open "
                    "again at once when it doubles."
                )
            ),
            *(Small(say(sentence)) for sentence in proposal.target.left_out),
        ),
        (
            Choose(
                "lasting",
                tr("For"),
                tuple(Option(span(length), key) for key, length in _SNOOZES.items()),
                "1h",
            ),
        ),
        tr("Snooze"),
        proposal.intent_id,
    )


def _false_alarm(
    proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]
) -> Form:
    return Form(
        tr("A false alarm?"),
        (
            Paragraph(
                richn(
                    "{who} sends this much rightly: the incident is closed, and this volume will "
                    "not alert again. Nothing is changed on the mail server.",
                    "{who} send this much rightly: the incident is closed, and this volume will "
                    "not alert again. Nothing is changed on the mail server.",
                    max(1, len(proposal.target.people)),
                    who=Bold(about(proposal.target.people)),
                )
            ),
            *(Small(say(sentence)) for sentence in proposal.target.left_out),
        ),
        (),
        tr("False alarm"),
        proposal.intent_id,
    )


def _forget(proposal: Proposal, now: datetime, kept: timedelta, folders: Sequence[str]) -> Form:
    return Form(
        tr("Forget this?"),
        (
            Paragraph(
                rich(
                    "What was learnt of {who} from that incident tunes the detector no more. "
                    "This can be undone.",
                    who=Bold(about(proposal.target.people)),
                )
            ),
        ),
        (),
        tr("Forget"),
        proposal.intent_id,
    )


def _amend_move(target: Target, values: Values) -> Target:
    folder = _folder(_one(values, "new") or _one(values, "folder") or REVIEW)
    return target.model_copy(update={"folder": folder})


def _folder(text: str) -> str:
    """Return a folder's name to move to. Raises BadArgument where it cannot be one."""
    try:
        name = read_folder(text)
    except ValueError as error:
        raise BadArgument(
            tr("I cannot use “{text}”: {why}.", text=cut(text, 40), why=error)
        ) from error
    if name == DELETED:
        raise BadArgument(
            tr("“{folder}” is where deleted messages wait; use Delete for that.", folder=DELETED)
        )
    return name


def _is_folder(name: str) -> bool:
    try:
        return read_folder(name) == name
    except ValueError:
        return False


def _amend_delete(target: Target, values: Values) -> Target:
    return target.model_copy(update={"permanent": _one(values, "how") == "permanent"})


def _amend_disable(target: Target, values: Values) -> Target:
    refusing = _one(values, "state") == UserState.REFUSING.value
    state = UserState.REFUSING if refusing else UserState.NO_SENDING
    return target.model_copy(update={"user_state": state, "lasting": _lasting(target, values)})


def _amend_block(target: Target, values: Values) -> Target:
    named, rest = _split(target.networks)
    ticked = values.get("networks", ())
    chosen = [network for number, network in enumerate(named) if str(number) in ticked]
    if _REST in ticked:
        chosen += rest
    if not chosen:
        raise BadArgument(
            tr("No address is ticked, so nothing would be blocked. Tick at least one.")
        )
    update = {"networks": tuple(chosen), "lasting": _lasting(target, values)}
    return target.model_copy(update=update)


def _lasting(target: Target, values: Values) -> timedelta | None:
    key = _one(values, "lasting")
    return None if key == _FOREVER else _LASTING.get(key, target.lasting)


def _amend_snooze(target: Target, values: Values) -> Target:
    lasting = _SNOOZES.get(_one(values, "lasting"), timedelta(hours=1))
    return target.model_copy(update={"lasting": lasting})


def _one(values: Values, name: str) -> str:
    return next(iter(values.get(name, ())), "")


def _split(networks: Sequence[Network]) -> tuple[list[Network], list[Network]]:
    """Return the networks that get a tick each, and those that share the last one."""
    named = list(networks if len(networks) <= _TICKS else networks[: _TICKS - 1])
    return named, list(networks[len(named) :])


def networks_of(addresses: Sequence[str]) -> tuple[Network, ...]:
    """Return client IPs as networks of one address each; what is no address is left out."""
    networks: list[Network] = []
    for address in addresses:
        try:
            networks.append(ip_network(address))
        except ValueError:
            continue
    return tuple(networks)


_FORMS: Mapping[str, Callable[[Proposal, datetime, timedelta, Sequence[str]], Form]] = {
    "stop": account_forms.stop,
    "move": _move,
    "restore": _restore,
    "retry": _retry,
    "delete": _delete,
    "disable": _disable,
    "enable": account_forms.enable,
    "block": _block,
    "unblock": _unblock,
    "snooze": _snooze,
    "false_alarm": _false_alarm,
    "forget": _forget,
    "password": account_forms.password,
    "end_sessions": account_forms.end_sessions,
    "delete_account": account_forms.delete_account,
}
_AMENDS: Mapping[str, Callable[[Target, Values], Target]] = {
    "move": _amend_move,
    "delete": _amend_delete,
    "disable": _amend_disable,
    "block": _amend_block,
    "snooze": _amend_snooze,
    "delete_account": account_forms.amend_delete_account,
}
