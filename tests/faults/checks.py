"""What must hold after the bot was killed, found out from the files that it left."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from sqlmodel import select

from bot.demo.sender import SmtpRefused
from bot.elements import Card
from bot.publisher import INCIDENT, LINE
from services.errors import Expired
from services.incidents import campaign_of
from services.mail.port import UserState
from services.models import Announcement, AuditEntry, Intent, IntentState
from services.reconcile import truth
from services.targets import Target

from ..mail.harness import ANN, BOB, PASSWORD
from ..services.bench import CHANNEL, Bench
from .alone import Contained, GoneOn, Mended, Purged
from .kinds import Asked, Case, Declined, HandedOn, Set, passwords_taken
from .world import Paper, Snapshot, pressable, publisher, snapshot

NEVER, INTERRUPTED, DONE = "never started", "interrupted", "done"
#: A message's place half-way, where the server has one: on hold, not in the folder yet.
_BETWEEN = "held "


class Checks:
    """Looks at one run's remains; what is wrong is gathered, as sentences."""

    def __init__(
        self,
        bench: Bench,
        case: Case,
        made: Set,
        before: Snapshot,
        after: Snapshot,
        paper: Paper,
    ) -> None:
        self.bench, self.case, self.made = bench, case, made
        self.before, self.after, self.paper = before, after, paper
        self.faults: list[str] = []

    async def run(self, *, undo_at_once: bool) -> str:
        """Check it all; return how far it had come."""
        if isinstance(self.case, Declined):
            return await self._given_up()
        if isinstance(self.case, Asked):
            return await self._asked()
        if isinstance(self.case, Purged):
            return await self._purged()
        if isinstance(self.case, Mended):
            return await self._mended()
        return await self._acted(undo_at_once=undo_at_once)

    # -- an act ---------------------------------------------------------------------------

    async def _acted(self, *, undo_at_once: bool) -> str:
        bench, case, made = self.bench, self.case, self.made
        intent = await case.followed(bench, made)
        found = await snapshot(bench)
        log = await self._logged(intent)
        if intent is None or intent.state in (IntentState.OFFERED, IntentState.WAITING):
            came = NEVER
            self._must(not log, f"it was never begun, yet the log has {log}")
            self._same(found, self.before, "it was never begun, yet the server changed")
        elif intent.state is IntentState.CLAIMED:
            came = INTERRUPTED
            self._must(log == {"intent": 1}, f"it was begun, and the log has {log}")
        else:
            came = DONE
            self._must(intent.state is IntentState.DONE, f"it is {intent.state}: {intent.summary}")
            self._must(log == {"intent": 1, "result": 1}, f"it is done, and the log has {log}")
            self._same(found, self.after, "it is said to be done, and is not")
        self._must(
            await bench.upkeep.recover() == (came == INTERRUPTED), "the start missed what was cut"
        )
        self._must(await bench.upkeep.recover() == 0, "a second start found it again")
        self._must(found == await snapshot(bench), "the start changed the server")
        self._part_of(found)
        if isinstance(case, Contained) and came != DONE:
            said = [incident.containment for incident in await bench.incidents()]
            self._must(not any(said), f"it is not done, and the card says {said}")
        await self._copies(found)
        if came != INTERRUPTED:
            await self._passwords(done=came == DONE)
        if came == INTERRUPTED:
            await self._tells_the_truth()
        await self._cards()
        await self._whole()
        await self._finish(came, undo_at_once=undo_at_once)
        return came

    async def _tells_the_truth(self) -> None:
        intent = await self.case.followed(self.bench, self.made)
        assert intent is not None
        log = await self._logged(intent)
        self._must(
            intent.state is IntentState.INTERRUPTED, f"it was cut off, and is {intent.state}"
        )
        self._must(log == {"intent": 1, "result": 1}, f"it was cut off, and the log has {log}")
        original = await self.bench.intents.original(intent)
        target = Target.model_validate_json(intent.target)
        now = await truth(self.bench.server, (original or intent).action, target)
        self._must(
            "was stopped in the middle" in intent.summary and now in intent.summary,
            f"“{intent.summary}” does not say that “{now}”",
        )

    async def _finish(self, came: str, *, undo_at_once: bool) -> None:
        """Use the same button again; then do it, or take it back, and compare exactly."""
        bench, case, made = self.bench, self.case, self.made
        intent = await case.followed(bench, made)
        if came == NEVER:
            await case.act(bench, made)
            intent = await case.followed(bench, made)
            assert intent is not None
            self._must(intent.state is IntentState.DONE, f"done at last, it is {intent.state}")
            done = intent.id
        else:
            assert intent is not None
            await self._press_again(intent)
            done = intent.id
            if came == INTERRUPTED and undo_at_once and case.is_act:
                await self._take_back(done, "what was cut off")
                return
            if came == INTERRUPTED:
                outcome = await case.again(bench, made)
                self._must(outcome.ok, f"done again, it failed: {outcome.sentence}")
                done = outcome.intent_id
        found = await snapshot(bench)
        self._same(found, self.after, "done again, it is not complete")
        self._part_of(found)
        await self._passwords()
        if case.is_act:
            offered = await self._take_back(done, "what was done")
            self._must(offered is not case.of.lasts, "whether it can be taken back is wrong")
        await self._cards()
        await self._whole()

    async def _press_again(self, intent: Intent) -> None:
        bench = self.bench
        found = await snapshot(bench)
        entries = len(await bench.log())
        try:
            await self.case.press(bench, self.made)
        except Expired:
            pass
        else:
            self.faults.append("the same button did it twice")
        self._must(found == await snapshot(bench), "the same button changed the server")
        said = [entry.phase for entry in (await bench.log())[entries:]]
        self._must(said == [self.case.used_again], f"the same button again is in the log as {said}")

    async def _take_back(self, intent_id: str, what: str) -> bool:
        """Take it back; return whether there was a button for it."""
        bench, case = self.bench, self.case
        undo_id = await bench.intents.offer_undo(CHANNEL, intent_id)
        if undo_id is not None:
            outcome = await bench.pipeline.execute(case.actor, CHANNEL, undo_id)
            self._must(outcome.ok, f"{what} could not be taken back: {outcome.sentence}")
        if case.exact:
            expected = self.made.first or self.before
            self._same(await snapshot(bench), expected, f"{what} was not taken back exactly")
        await self._cards()
        await self._whole()
        return undo_id is not None

    # -- what is no act -------------------------------------------------------------------

    async def _asked(self) -> str:
        bench = self.bench
        intent = await bench.intent(self.made.press)
        log = [entry.phase for entry in await bench.log() if entry.intent_id == intent.id]
        waits = intent.state is IntentState.WAITING
        self._must(waits or intent.state is IntentState.OFFERED, f"it is {intent.state}")
        self._must(log == ["asked"] * waits, f"it {'waits' if waits else 'does not wait'}: {log}")
        self._same(await snapshot(bench), self.before, "only asked, and the server changed")
        self._must(await bench.upkeep.recover() == 0, "the start took it for an act")
        if waits:
            with suppress(Expired):
                await self.case.act(bench, self.made)
        else:
            await self.case.act(bench, self.made)
        intent = await bench.intent(self.made.press)
        self._must(intent.state is IntentState.WAITING, f"asked again, it is {intent.state}")
        log = [e.phase for e in await bench.log() if e.intent_id == intent.id]
        self._must(log == ["asked", *["repeated"] * waits], f"asked again, the log has {log}")
        await self._cards()
        await self._whole()
        return DONE if waits else NEVER

    async def _given_up(self) -> str:
        """It was not approved: once it is said so, and nothing was done."""
        bench, made = self.bench, self.made
        asked = await bench.intent(made.of)
        came = NEVER if asked.state is IntentState.WAITING else DONE
        if came == NEVER:
            await self.case.act(bench, made)
        else:
            await self._press_again(asked)
        asked = await bench.intent(made.of)
        self._must(asked.state is IntentState.FAILED, f"it was given up, and is {asked.state}")
        log = [entry.phase for entry in await bench.log() if entry.intent_id == made.of]
        self._must(log == ["asked", "decided"], f"it was given up, and the log has {log}")
        self._must(await bench.upkeep.recover() == 0, "the start took it for an act")
        self._same(await snapshot(bench), self.before, "given up, and the server changed")
        await self._cards()
        await self._whole()
        return came

    async def _purged(self) -> str:
        bench = self.bench
        found = await snapshot(bench)
        log = await self._purges()
        self._part_of(found)
        came = {0: NEVER, 1: INTERRUPTED, 2: DONE}.get(len(log), DONE)
        if came == NEVER:
            self._same(found, self.before, "not begun, and messages are gone")
        if came == DONE:
            self._same(found, self.after, "purged, and messages are there")
        self._must(await bench.upkeep.recover() == 0, "the start took it for an act")
        await bench.upkeep.purge()
        self._same(await snapshot(bench), self.after, "purged again, and not complete")
        log = await self._purges()
        self._must([e.phase for e in log] == ["intent", "result"], f"the log has {log}")
        promised, kept = (json.loads(entry.detail) for entry in log)
        lost = len(self.before.bytes_of) - len(self.after.bytes_of)
        self._must(promised["messages"] == lost, f"the log promised {promised}")
        self._must(
            kept["done"] + kept.get("before", 0) == lost, f"the log says {kept} of {lost} messages"
        )
        self._must(await bench.upkeep.purge() == 0, "purged a third time")
        self._must(len(await self._purges()) == 2, "purged a third time, in the log")
        await self._cards()
        await self._whole()
        return came

    async def _mended(self) -> str:
        bench = self.bench
        intent = await bench.intent(self.made.press)
        came = NEVER if intent.state is IntentState.CLAIMED else INTERRUPTED
        await bench.upkeep.recover()
        self._same(await snapshot(bench), self.before, "the start changed the server")
        intent = await bench.intent(self.made.press)
        now = await truth(bench.server, intent.action, Target.model_validate_json(intent.target))
        if came == INTERRUPTED and intent.summary.count(now) == 1:
            came = DONE
        await self._tells_the_truth()
        self._must(intent.summary.count(now) == 1, f"“{intent.summary}” says it twice")
        await self._cards()
        await self._whole()
        return came

    # -- parts ----------------------------------------------------------------------------

    async def _passwords(self, *, done: bool = True) -> None:
        """The old password logs in, or the one that was handed on does; never both."""
        if self.case.of.action != "password":
            return
        old = await self._logs_in(PASSWORD)
        self._must(old is not done, f"the password is {'' if done else 'not '}set, and is not so")
        if isinstance(self.case, HandedOn) and done:
            taken = passwords_taken(self.bench).read_text().split()
            # One that was killed may have handed its own on, before.
            right = [password for password in taken if await self._logs_in(password)]
            self._must(len(right) == 1, f"{len(right)} of {len(taken)} passwords handed on log in")

    async def _logs_in(self, password: str) -> bool:
        try:
            client = await self.bench.mail.logged_in(ANN, password=password)
        except SmtpRefused:
            return False
        await client.close()
        return True

    async def _copies(self, found: Snapshot) -> None:
        """What is called a copy of a mailbox is whole; no mailbox is gone without one."""
        if self.case.of.action != "delete_account":
            return
        folder = self.bench.safety.copies_folder
        assert folder is not None
        whole = [await asyncio.to_thread(file.read_bytes) for file in folder.glob("*.mbox")]
        for copy in whole:
            self._must(copy.count(b"is in bob's mailbox") == 1, f"a copy is {copy!r}")
        if self.bench.server.capabilities.copy_mail.able and BOB not in found.accounts:
            self._must(bool(whole), "the account is deleted, and there is no copy of its mail")

    async def _logged(self, intent: Intent | None) -> dict[str, int]:
        if intent is None:
            return {}
        entries = [e for e in await self.bench.log() if e.intent_id == intent.id]
        return dict(Counter(e.phase for e in entries if e.phase in ("intent", "result")))

    async def _purges(self) -> Sequence[AuditEntry]:
        log = await self.bench.log()
        return [e for e in log if e.action == "purge" and e.intent_id == self.made.of]

    async def _whole(self) -> None:
        """The log verifies, and nothing in it was begun twice, or ended without a beginning."""
        verdict = await self.bench.audit.verify()
        self._must(verdict.broken_at is None, verdict.sentence)
        log = [e for e in await self.bench.log() if e.intent_id and e.action != "purge"]
        number = Counter((e.phase, e.intent_id) for e in log)
        for phase, intent_id in number:
            if phase in ("intent", "result"):
                both = (number["intent", intent_id], number["result", intent_id])
                self._must(both == (1, 1), f"{intent_id} has {both} entries in the log")

    def _part_of(self, found: Snapshot) -> None:
        """Nothing is anywhere but where it was or was to be; each message is whole, and once."""
        before, after = self.before, self.after
        for name in ("accounts", "blocks", "places"):
            was, will, now = (getattr(s, name) for s in (before, after, found))
            for key in {*was, *will, *now}:
                allowed = [was.get(key), will.get(key)]
                if name == "places" and key in now and was.get(key) == "waiting":
                    allowed.append(_BETWEEN)
                if name == "accounts" and self.case.of.action == "delete_account":
                    allowed.append(UserState.REFUSING.value)  # while its mail is copied
                if now.get(key) not in allowed:
                    self.faults.append(f"{key} is {now.get(key)}, and not one of {allowed}")
        self._must(
            found.incident in (before.incident, after.incident), f"the incident is {found.incident}"
        )
        for queue_id, content in found.bytes_of.items():
            self._must(before.bytes_of.get(queue_id) == content, f"{queue_id} is not as it was")
        if not self.case.deletes:
            self._must(len(found.bytes_of) == len(before.bytes_of), "a message is lost")

    async def _cards(self) -> None:
        """Have the channel drawn, and read it: no button is used up, and the words are true."""
        bench = self.bench
        await publisher(bench, self.paper).catch_up()
        async with bench.store.reading() as session:
            rows = {row.id: row for row in (await session.exec(select(Intent))).all()}
            lines = (await session.exec(select(Announcement))).all()
        for ref, card in self.paper.shown.values():
            for label, intent_id in pressable(card).items():
                row = rows[intent_id]
                good = row.state is IntentState.OFFERED and row.expires_at > bench.clock.now()
                self._must(good, f"{ref} offers “{label}”, which is {row.state}")
        for line in lines:
            told = self.paper.card(f"{LINE}:{line.id}")
            self._must(told is not None, f"{LINE}:{line.id} is not shown")
            if line.intent_id is not None and told is not None:
                self._line(told, rows[line.intent_id])
        told_of = {line.intent_id for line in lines}
        if isinstance(self.case, GoneOn):
            told_of.add(self.made.of)  # the line of what went on with it tells of both
        for row in rows.values():
            tells = row.state is IntentState.OFFERED or row.id in told_of
            self._must(tells, f"no line tells of {row.action}, which is {row.state}")
        incidents = await bench.incidents()
        for incident in incidents:
            if incident.campaign is not None:
                continue
            alert = self.paper.card(f"{INCIDENT}:{incident.id}")
            assert alert is not None
            labels = pressable(alert)
            group = [row.id or 0 for row in incidents if campaign_of(row) == incident.id]
            stands = "stop" in await bench.intents.done_on(*group)
            self._must(("Undo stop" in labels) is stands, f"the card offers {sorted(labels)}")
            said = alert.fallback.casefold()
            word = {"remedied": "ed by"}.get(incident.state.value, incident.state.value)
            self._must(word in said, f"the incident is {incident.state}, and the card: {said}")

    def _line(self, card: Card, intent: Intent) -> None:
        mark = {
            IntentState.CLAIMED: "⏳",
            IntentState.DONE: "✔️",
            IntentState.INTERRUPTED: "⚠️",
            IntentState.WAITING: "✋",
            IntentState.FAILED: "🚫" if intent.claimed_by is None else "⚠️",
        }.get(intent.state, "?")
        if intent.undo_of is not None and intent.state is IntentState.DONE:
            mark = "↩️"
        if intent.undone:
            mark = "↩️"
        said = card.fallback
        self._must(said.startswith(mark), f"it is {intent.state}, and the line: {said}")
        self._must(intent.summary in said, f"the line does not say “{intent.summary}”: {said}")

    def _must(self, good: bool, sentence: str) -> None:
        if not good:
            self.faults.append(sentence)

    def _same(self, found: Snapshot, expected: Snapshot, sentence: str) -> None:
        for name in ("accounts", "blocks", "places", "incident"):
            is_, should = getattr(found, name), getattr(expected, name)
            self._must(is_ == should, f"{sentence}: {name} are {is_}, should be {should}")
