"""A new password, ended sessions and deletion: done on a real mail server, and what is told."""

import asyncio
import contextlib
import json
import mailbox
import sys
from pathlib import Path

import pytest

from bot.demo.sender import SmtpRefused
from services.errors import Refused, ServerDown
from services.mail.embedded import EmbeddedServer
from services.mail.port import Capabilities, Capability, UserState
from services.models import IntentState
from services.passwords import Passwords
from services.remedies import REMEDIES, lacking
from services.settings import ApprovalSettings, SafetySettings
from services.targets import Target

from ..mail.harness import ANN, BOB
from .bench import ADMIN, CEO, CHANNEL, OPERATOR, OTHER_OPERATOR, Bench


async def _may_log_in(bench: Bench, password: str) -> bool:
    try:
        client = await bench.mail.logged_in(ANN, password=password)
    except SmtpRefused:
        return False
    await client.close()
    return True


async def _become(bench: Bench, kind: type[EmbeddedServer]) -> None:
    await bench.mail.stop()
    bench.mail.server = kind(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()


def _hand_to(bench: Bench, *command: str) -> None:
    bench.pipeline._passwords = Passwords(command)


async def _everything_kept(bench: Bench, outcome_id: str) -> str:
    intent = await bench.intent(outcome_id)
    log = [entry.model_dump_json() for entry in await bench.log()]
    return " ".join([intent.model_dump_json(), *log, *await bench.told()])


# -- a new password ----------------------------------------------------------------------


async def test_the_new_password_is_the_only_one_and_is_written_down_nowhere(bench: Bench) -> None:
    outcome = await bench.act("password", Target(account=ANN))
    assert outcome.ok
    assert outcome.secret is not None
    password = outcome.secret.get_secret_value()
    assert await _may_log_in(bench, password)
    assert not await _may_log_in(bench, "correct horse")
    assert outcome.undo_id is None
    assert password not in repr(outcome)
    assert password not in await _everything_kept(bench, outcome.intent_id)
    assert outcome.sentence == f"{ANN} has a new password; the old one no longer logs in."


async def test_a_command_gets_it_and_then_nobody_is_shown_it(bench: Bench, tmp_path: Path) -> None:
    got = tmp_path / "got"
    program = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    _hand_to(bench, sys.executable, "-c", program, str(got))
    proposal = await bench.propose("password", Target(account=ANN))
    assert "handed to the command" in proposal.note
    outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    assert (outcome.ok, outcome.secret) == (True, None)
    account, password = got.read_text().splitlines()
    assert account == ANN
    assert await _may_log_in(bench, password)
    assert password not in await _everything_kept(bench, outcome.intent_id)


async def test_a_command_that_fails_leaves_a_password_that_nobody_has_and_says_so(
    bench: Bench,
) -> None:
    _hand_to(bench, sys.executable, "-c", "import sys; sys.exit(5)")
    outcome = await bench.act("password", Target(account=ANN))
    assert (outcome.ok, outcome.secret) == (False, None)
    assert "failed: it ended with status 5. Nobody has the password; set it again" in (
        outcome.sentence
    )
    assert not await _may_log_in(bench, "correct horse")


async def test_a_password_that_was_not_shown_is_told_in_its_line_and_in_the_log(
    bench: Bench,
) -> None:
    outcome = await bench.act("password", Target(account=ANN))
    changes = bench.changes
    await bench.pipeline.not_shown(outcome.intent_id)
    intent = await bench.intent(outcome.intent_id)
    assert intent.state is IntentState.DONE
    assert intent.summary.endswith("It could not be shown, so nobody knows it: set it again.")
    assert (await bench.phases())[-1] == ("note", "password")
    assert bench.changes == changes + 1
    await bench.pipeline.not_shown("no such intent")


async def test_of_two_persons_the_one_who_approves_is_shown_it_and_the_question_says_so(
    bench: Bench,
) -> None:
    bench.approval = ApprovalSettings(remedies=("password",))
    bench.build()
    asked = await bench.act("password", Target(account=ANN))
    assert asked.secret is None
    intent = await bench.intent(asked.intent_id)
    assert "the new password will be shown to who approves it" in intent.asked_why
    button = await bench.intents.offer_decision(CHANNEL, "approve", intent)
    outcome = await bench.pipeline.decide(OTHER_OPERATOR, CHANNEL, button, approve=True)
    assert outcome.secret is not None
    assert await _may_log_in(bench, outcome.secret.get_secret_value())


class _Breaks(EmbeddedServer):
    async def set_password(self, address: str, password: str) -> None:
        await super().set_password(address, password)
        raise ServerDown("It has the new password, but its sessions go on.")

    async def delete_user(self, address: str) -> None:
        raise ServerDown("It did not answer.")


async def test_a_server_that_fails_after_it_set_the_password_is_told_to_be_asked_again(
    bench: Bench,
) -> None:
    await _become(bench, _Breaks)
    outcome = await bench.act("password", Target(account=ANN))
    assert (outcome.ok, outcome.secret) == (False, None)
    assert "If the password was changed, nobody saw it: set it again." in outcome.sentence


async def test_a_user_that_was_deleted_meanwhile_is_a_sentence(bench: Bench) -> None:
    proposals = [await bench.propose(name, Target(account=ANN)) for name in ("password", "disable")]
    proposals.append(await bench.propose("end_sessions", Target(account=ANN)))
    await bench.server.delete_user(ANN)
    for proposal in proposals:
        outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
        assert not outcome.ok
        assert f"There is no mailbox {ANN} on this server" in outcome.sentence


@pytest.mark.parametrize("action", ["password", "delete_account"])
async def test_a_protected_account_keeps_its_password_and_itself(bench: Bench, action: str) -> None:
    with pytest.raises(Refused, match="protected account"):
        await bench.act(action, Target(account=CEO), actor=ADMIN)
    assert await bench.state(CEO) is UserState.ACTIVE


# -- sessions ----------------------------------------------------------------------------


async def test_its_sessions_end_others_go_on_and_it_may_log_in_again(bench: Bench) -> None:
    mine = [await bench.mail.logged_in(ANN) for _ in range(2)]
    others = await bench.mail.logged_in(BOB)
    outcome = await bench.act("end_sessions", Target(account=ANN))
    assert outcome.sentence.startswith(f"2 sessions of {ANN} were ended.")
    for client in mine:
        assert (await client.command("NOOP")).code == 421
        await client.close()
    assert (await others.command("NOOP")).good
    await others.close()
    assert await _may_log_in(bench, "correct horse")
    none = await bench.act("end_sessions", Target(account=CEO))
    assert none.sentence == f"{CEO} had no open session."


# -- deletion ----------------------------------------------------------------------------


@pytest.fixture
def copies(bench: Bench, tmp_path: Path) -> Path:
    """A folder for copies, which there is not yet."""
    folder = tmp_path / "kept" / "copies"
    bench.safety = SafetySettings(protected_accounts=(CEO,), copies_folder=folder)
    bench.build()
    return folder


async def test_a_deleted_account_is_gone_and_its_mail_is_in_a_file_for_the_bot_alone(
    bench: Bench, copies: Path
) -> None:
    body = "Hello.\r\n\r\nFrom here on\r\n>From there\r\n"
    await bench.mail.submit(BOB, [ANN], "one", body=body)
    await bench.mail.settle()
    await bench.mail.submit(BOB, [ANN], "two")
    await bench.mail.settle()
    proposal = await bench.propose("delete_account", Target(account=ANN), actor=ADMIN)
    assert str(copies) in proposal.note
    outcome = await bench.pipeline.execute(ADMIN, CHANNEL, proposal.intent_id)
    assert outcome.ok, outcome.sentence
    assert await bench.state() is None
    assert outcome.undo_id is None
    (copy,) = await asyncio.to_thread(lambda: list(copies.iterdir()))
    assert copy.name.startswith("ann@example.test-")
    assert "A copy of its 2 messages" in outcome.sentence
    assert str(copy) in outcome.sentence
    assert copy.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(mailbox.mbox(copy)) as box:
        kept = list(box)
    assert [message["Subject"] for message in kept] == ["one", "two"]
    text = kept[0].get_payload()
    assert ">From here on" in text
    assert ">>From there" in text


async def test_where_the_copy_fails_nothing_is_deleted_and_the_account_is_as_before(
    bench: Bench, copies: Path
) -> None:
    copies.parent.write_text("a file where the folder should be")
    await bench.server.set_user_state(ANN, UserState.NO_SENDING)
    outcome = await bench.act("delete_account", Target(account=ANN), actor=ADMIN)
    assert not outcome.ok
    assert f"{ANN} was not deleted and is as before." in outcome.sentence
    assert await bench.state() is UserState.NO_SENDING


async def test_where_the_deletion_fails_the_account_is_as_before(bench: Bench) -> None:
    await _become(bench, _Breaks)
    outcome = await bench.act("delete_account", Target(account=ANN), actor=ADMIN)
    assert not outcome.ok
    assert "It did not answer." in outcome.sentence
    assert await bench.state() is UserState.ACTIVE


async def test_without_a_folder_it_says_that_no_copy_is_made(bench: Bench) -> None:
    proposal = await bench.propose("delete_account", Target(account=ANN), actor=ADMIN)
    assert proposal.note == "No copy of its mail is made (setting safety.copies_folder)."
    outcome = await bench.pipeline.execute(ADMIN, CHANNEL, proposal.intent_id)
    assert outcome.sentence.endswith("No copy was made (setting safety.copies_folder).")


async def test_deleting_takes_two_unless_the_settings_say_otherwise(bench: Bench) -> None:
    bench.approval = ApprovalSettings()
    bench.build()
    outcome = await bench.act("delete_account", Target(account=ANN), actor=ADMIN)
    assert "deleting an account takes two persons" in outcome.sentence
    assert await bench.state() is UserState.ACTIVE
    intent = await bench.intent(outcome.intent_id)
    button = await bench.intents.offer_decision(CHANNEL, "approve", intent)
    for actor, why in ((ADMIN, "somebody else must approve"), (OPERATOR, "role admin")):
        with pytest.raises(Refused, match=why):
            await bench.pipeline.decide(actor, CHANNEL, button, approve=True)
    assert await bench.state() is UserState.ACTIVE
    assert json.loads((await bench.log())[-1].detail)["why"]


# -- what a server cannot do -------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "field"),
    [
        ("password", "set_password"),
        ("end_sessions", "end_sessions"),
        ("delete_account", "delete_user"),
    ],
)
def test_what_a_server_cannot_do_is_said_with_its_reason(action: str, field: str) -> None:
    unable = Capabilities(**{field: Capability(able=False, why="Not here.")})
    assert lacking(action, unable, Target(account=ANN)) == "Not here."
    assert lacking(action, Capabilities(), Target(account=ANN)) is None
    assert REMEDIES[action].undo is None
