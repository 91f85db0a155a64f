"""Any order of what accounts send and people do: no alarm is lost, nothing closed is live."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.detection.evidence import Evidence, Habit
from services.detection.life import (
    Member,
    Severity,
    inherit,
    note_sent,
    severity_of,
    shared_state,
    step,
)
from services.incidents import open_key
from services.models import LIVE, Incident, IncidentState

from ..mail.harness import START

_QUIET = timedelta(minutes=30)
_LEAST = 40
_ACCOUNTS = ("ann", "bob", "cat")
_WAITING = (IncidentState.ACKNOWLEDGED, IncidentState.SNOOZED)
_accounts = st.sampled_from(_ACCOUNTS)


class IncidentLife(RuleBasedStateMachine):
    """One campaign of up to three accounts; each rule ends with a poll, as the detector's does."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.rows: dict[str, Incident] = {}
        self.lead: Incident | None = None
        self.sent: dict[str, int] = dict.fromkeys(_ACCOUNTS, 0)
        self.sending: dict[str, int] = {}  # messages in the last five minutes
        self.last: dict[str, object] = {}
        self.lines: list[str] = []

    def _evidence(self, name: str) -> Evidence:
        rate = self.sending.get(name, 0)
        return Evidence(
            taken_at=self.now,
            window=300,
            messages=rate,
            peak=max(rate, 1),
            recipients=rate,
            addresses=(),
            address_count=0,
            network_count=0,
            subject="",
            subject_messages=0,
            first_at=START,
            last_at=self.now if rate else START,
            total=self.sent[name],
            habit=Habit(),
        )

    def _poll(self) -> None:
        members: list[Member] = []
        for name in _ACCOUNTS:
            alarming = self.sending.get(name, 0) > 0
            row, is_new = self.rows.get(name), False
            if row is None or row.state not in LIVE:
                if not alarming:
                    continue
                if row is None or row.state is IncidentState.FALSE_ALARM:
                    row = Incident(
                        id=len(self.rows) + 1, server="mail", sender=name, opened_at=self.now,
                        updated_at=self.now, evidence="{}", score=60,
                    )  # fmt: skip
                row.state, row.state_at, row.quiet_since = IncidentState.OPEN, self.now, None
                row.open_key = open_key("mail", name)
                row.noted_total = row.noted_peak = None
                self.rows[name], is_new = row, True
                self.lead = self.lead or row
            if alarming:
                row.quiet_since = None
            elif row.quiet_since is None:
                row.quiet_since = self.now
            members.append(Member(row, self._evidence(name), 60, alarming=alarming, is_new=is_new))
        for member in members:
            inherit(member, [m.incident for m in members if not m.is_new], self.now)
        if self.lead is not None and members:
            self.lines += step(self.lead, members, self.now, _QUIET, _LEAST).lines
        self.members = members

    # -- what happens -------------------------------------------------------------------

    @rule(name=_accounts, number=st.sampled_from([5, 50, 400]))
    def an_account_sends(self, name: str, number: int) -> None:
        self.sent[name] += number
        self.sending[name] = self.sending.get(name, 0) + number
        self._poll()

    @rule(minutes=st.sampled_from([1, 6, 31]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        if minutes > 5:
            self.sending = {}
        self._poll()

    @rule(name=_accounts, state=st.sampled_from(list(_WAITING)), minutes=st.sampled_from([5, 60]))
    def somebody_puts_it_off(self, name: str, state: IncidentState, minutes: int) -> None:
        row = self.rows.get(name)
        if row is not None and row.state in (IncidentState.OPEN, *_WAITING):
            row.state, row.state_by, row.state_at = state, "otto", self.now
            snoozed = state is IncidentState.SNOOZED
            row.snoozed_until = self.now + timedelta(minutes=minutes) if snoozed else None
            note_sent(row, self._evidence(name))
            self._poll()

    @rule(name=_accounts)
    def somebody_stops_it(self, name: str) -> None:
        row = self.rows.get(name)
        if row is not None and row.state in LIVE:
            row.state, row.state_at = IncidentState.REMEDIED, self.now
            self.sending.pop(name, None)
            self._poll()

    @rule(name=_accounts)
    def somebody_calls_it_false(self, name: str) -> None:
        row = self.rows.get(name)
        if row is not None and row.state in LIVE:
            row.state, row.state_at, row.open_key = IncidentState.FALSE_ALARM, self.now, None
            self.sending.pop(name, None)
            self._poll()

    # -- what must hold -----------------------------------------------------------------

    @invariant()
    def what_alarms_has_a_live_incident(self) -> None:
        for name in self.sending:
            assert self.rows[name].state in LIVE

    @invariant()
    def what_is_live_and_only_that_holds_its_accounts_place(self) -> None:
        keys = [row.open_key for row in self.rows.values() if row.open_key is not None]
        assert len(keys) == len(set(keys))
        for row in self.rows.values():
            assert (row.open_key is not None) == (row.state in LIVE)

    @invariant()
    def nothing_that_was_put_off_has_doubled_unseen(self) -> None:
        waiting = [row for row in self.rows.values() if row.state in _WAITING]
        total = sum(self.sent[row.sender] for row in waiting)
        noted = sum(row.noted_total or 0 for row in waiting)
        assert total < 2 * noted or total - noted < _LEAST
        assert all(
            row.snoozed_until is not None and row.snoozed_until > self.now
            for row in waiting
            if row.state is IncidentState.SNOOZED
        )

    @invariant()
    def an_open_account_makes_the_campaign_open(self) -> None:
        states = [row.state for row in self.rows.values()]
        if IncidentState.OPEN in states:
            assert shared_state(list(self.rows.values())) is IncidentState.OPEN

    @invariant()
    def severity_fades_exactly_when_nobody_sends(self) -> None:
        if self.rows:
            assert (severity_of(self.members) is Severity.FADING) == (not self.sending)

    @invariant()
    def what_is_closed_was_quiet_long_enough(self) -> None:
        for row in self.rows.values():
            if row.state is IncidentState.CLOSED:
                assert row.quiet_since is not None
                assert row.state_at is not None
                assert row.state_at - row.quiet_since >= _QUIET


TestIncidentLife = IncidentLife.TestCase
TestIncidentLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
