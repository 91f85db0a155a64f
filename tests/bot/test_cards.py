"""The cards: the facts they state, and the fixed places of what can be pressed on them."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import pytest

from bot import alert_card, campaign_cards, line_cards, spool_cards
from bot.alert_card import Buttons, alert
from bot.elements import (
    Bars,
    Button,
    Card,
    Figure,
    Menu,
    Paragraph,
    Picture,
    Points,
    Pre,
    Row,
    Section,
    Small,
    Style,
    plain,
)
from services.detection.evidence import Share
from services.mail.port import Page, Queue
from services.models import LIVE, Incident, IncidentState, Intent, IntentState
from services.remedies import REMEDIES
from tests.bot.samples import (
    ALL_ACTIONS,
    CARDS,
    INTENT,
    NOW,
    anna,
    evidence,
    incident,
    intent,
    message,
    offers,
    undos,
    words_of,
)

NOT_LIVE = [state for state in IncidentState if state not in LIVE]


def card_of(row: Incident, *done: str, undoable: bool = True) -> Card:
    """Return the card as the publisher makes it, after these acts."""
    left = ALL_ACTIONS if row.state in LIVE else ("search",)
    acts: dict[str, Intent] = {action: intent(action) for action in done}
    return alert(
        row,
        acts,
        Buttons(
            offers(*(action for action in left if not (undoable and action in done))),
            undos(*done) if undoable else {},
        ),
    )


def said(card: Card) -> str:
    """Return all that a card's sections say, a line each."""

    def lines(section: Section) -> list[str]:
        match section:
            case Paragraph(text) | Small(text):
                return [plain(text)]
            case Points(items):
                return [plain(item) for item in items]
            case Bars(title, bars):
                return [title, *(f"{bar.label} {bar.value} {bar.share:.0%}" for bar in bars)]
            case Row(text):
                return "".join(plain((span,)) for span in text).split("〈000A〉")
            case Picture(_, words) | Figure(_, words):
                return [words]
            case Pre(text):
                return [text]

    return "\n".join(line for section in card.all_sections for line in lines(section))


def labels(card: Card) -> dict[str, str]:
    """Return what stands in each place of a card, in order."""
    return {button.slot: button.label for button in card.buttons}


def more(card: Card) -> list[str]:
    """Return the entries of the More menu."""
    return [
        option.label for menu in card.buttons if isinstance(menu, Menu) for option in menu.options
    ]


def pressed_ids(card: Card) -> set[str]:
    ids = {button.intent_id for button in card.buttons if isinstance(button, Button)}
    return ids | {
        option.value for menu in card.buttons if isinstance(menu, Menu) for option in menu.options
    }


# -- what the alert says -----------------------------------------------------------


def test_an_alert_says_who_how_many_since_when_and_what_is_usual() -> None:
    card = card_of(incident())
    assert card.title == "🚨 anna@example.com is sending spam"
    text = said(card)
    assert "600 messages in 5 min; usual at this hour: 3, at most 8" in text
    assert "from 31 addresses in 12 networks" in text
    assert "97% near-identical subjects: “anna@example.com”" in text
    assert "to about 9,000 recipients" in text
    since = "Since 2026-03-02 11:48 UTC: 1,840 messages sent."
    assert f"{since} Now 1,234 waiting (95% of the spool), 5 held." in text
    assert "Incident 7 on anna@example.com · score 97" in text
    assert "as of 2026-03-02 12:00:05 UTC" in text


def test_an_alert_shows_the_top_senders_against_the_whole_server() -> None:
    names = words_of(*(f"user{n}@example.com" for n in range(1, 20)))
    seen = evidence(names, all_messages=1000)
    text = said(card_of(incident(seen=seen)))
    first, second, third = seen.top_senders
    assert "Top senders, last 5 min\n" in text
    for share, percent in ((first, "60%"), (second, "2%"), (third, "0%")):
        assert f"{share.name} {share.messages} {percent}" in text


def test_an_alert_shows_its_five_busiest_addresses_and_counts_the_rest() -> None:
    addresses = tuple(Share(name=f"203.0.113.{n}", messages=100 - n) for n in range(6))
    text = said(card_of(incident(seen=evidence(addresses=addresses, address_count=31))))
    assert "Its IP addresses, and 26 more\n203.0.113.0 100 " in text
    assert "203.0.113.4" in text
    assert "203.0.113.5" not in text
    few = said(card_of(incident(seen=evidence(addresses=addresses[:2], address_count=2))))
    assert "Its IP addresses\n" in few


def test_an_alert_with_little_known_is_still_a_card() -> None:
    bare = evidence(addresses=(), top_senders=(), address_count=0, network_count=0, reasons=())
    text = said(card_of(incident(seen=bare)))
    assert "Its IP addresses" not in text
    assert "Top senders" not in text
    assert "1,840 messages sent" in text


def test_the_notification_says_who_why_and_how_it_stands() -> None:
    text = card_of(incident()).fallback
    assert text.startswith("🚨 anna@example.com is sending spam: 600 messages in 5 min; usual")
    assert text.endswith("Open: nobody has taken this on yet.")


def test_a_phones_first_screen_has_who_how_much_and_what_to_press() -> None:
    row = incident()
    picture = Picture("F1", "what was sent")
    card = alert(row, {}, Buttons(offers(*ALL_ACTIONS), {}), picture)
    assert not any(isinstance(one, Picture | Bars) for one in card.sections)
    assert [type(one) for one in card.below] == [Picture, Bars, Bars, Small]
    first = "\n".join(said(replace(card, below=())).splitlines())
    for needed in ("🔴 Open", "600 messages in the last 5 min", "usual at this hour: 3", "31 addr"):
        assert needed in first
    assert len(first.splitlines()) <= 8


def test_who_is_of_a_campaign_no_more_is_not_said_to_send_now() -> None:
    group = [
        incident(IncidentState.FALSE_ALARM, seen=evidence(messages=44)),
        incident(seen=evidence(messages=3)),
    ]
    group[0].id, group[1].id, group[1].campaign = 7, 8, 7
    group[1].sender = "bob@example.com"
    open_ = campaign_cards.Buttons({}, {}, {}, {}, (group[1].sender,))
    text = said(campaign_cards.campaign(group[0], group, {}, open_))
    assert "3 messages in the last 5 min" in text
    group[1].evidence = evidence(messages=0).model_dump_json()
    card = campaign_cards.campaign(group[0], group, {}, open_)
    assert "0 messages in the last 5 min" in said(card)
    assert card.title.endswith("sent spam")


def test_an_account_that_has_two_incidents_of_a_campaign_has_a_line_for_each() -> None:
    group = [
        incident(IncidentState.FALSE_ALARM, seen=evidence(total=44, queued=0, held=0)),
        incident(seen=evidence(total=70, queued=1, held=0)),
    ]
    group[0].id, group[1].id, group[1].campaign = 7, 8, 7
    sender = group[1].sender
    buttons = campaign_cards.Buttons({}, {}, {sender: "stop"}, {sender: "why"}, (sender,))
    card = campaign_cards.campaign(group[0], group, {}, buttons)
    text = said(card)
    assert "114 messages sent" in text
    assert "70 messages, 1 waiting, 0 held · incident 8" in text
    assert "44 messages, 0 waiting, 0 held · incident 7" in text
    pressed = [one.button for one in card.sections if isinstance(one, Row) and one.button]
    assert [one.slot for one in pressed if isinstance(one, Button)] == ["stop-8", "why-7"]


def test_a_campaign_says_that_another_of_its_accounts_has_it_reopened() -> None:
    group = [incident(IncidentState.CLOSED), incident()]
    group[0].id, group[1].id, group[1].campaign = 7, 8, 7
    nothing = campaign_cards.Buttons({}, {}, {}, {})
    assert "Reopened" not in said(campaign_cards.campaign(group[0], group, {}, nothing))
    group[1].reopened_at = NOW
    assert "Reopened 2026-03-02" in said(campaign_cards.campaign(group[0], group, {}, nothing))


def test_a_campaigns_picture_says_whose_it_is() -> None:
    group = [incident(), incident()]
    group[0].id, group[1].id, group[1].campaign = 7, 8, 7
    nothing = campaign_cards.Buttons({}, {}, {}, {})
    card = campaign_cards.campaign(group[0], group, {}, nothing, Picture("F1", "what was sent"))
    whose, picture = card.below[:2]
    assert isinstance(picture, Picture)
    assert isinstance(whose, Small)
    assert plain(whose.text) == "The picture shows anna@example.com alone."
    without = campaign_cards.campaign(group[0], group, {}, nothing)
    assert not any("picture" in plain(one.text) for one in without.below if isinstance(one, Small))


def test_more_that_waits_than_was_counted_as_sent_is_explained() -> None:
    later = NOW + timedelta(seconds=20)
    seen = evidence(total=1221, queued=1293, held=0, spool_waiting=1300, spool_at=later)
    text = said(card_of(incident(seen=seen)))
    assert (
        "Since 2026-03-02 11:48 UTC: 1,221 messages sent, counted until 2026-03-02 12:00:05 UTC. "
        "Now 1,293 waiting (99% of the spool), 0 held. Some of these came after that, or before "
        "it began."
    ) in text
    # What waits is of then, and so is what the question before a stop says of it.
    assert "as of 2026-03-02 12:00:25 UTC" in text
    stop = card_of(incident(seen=seen)).buttons[0]
    assert isinstance(stop, Button)
    assert stop.confirm is not None
    assert "1,293 waiting messages (as of 12:00:25 UTC)" in stop.confirm.text


def test_a_list_of_incidents_says_until_when_was_counted_where_more_waits() -> None:
    at = NOW + timedelta(seconds=20)
    seen = evidence(
        total=1221, queued=1200, held=93, taken_at=NOW + timedelta(seconds=5), spool_at=at
    )
    assert plain(spool_cards.incident_line(incident(seen=seen))).endswith(
        " · 1,221 messages, counted until 2026-03-02 12:00:10 UTC; 1,200 waiting, 93 held as of "
        "2026-03-02 12:00:25 UTC"
    )
    seen = evidence(total=1293, queued=1200, held=93, spool_at=at)
    assert plain(spool_cards.incident_line(incident(seen=seen))).endswith(
        " · 1,293 messages, 1,200 waiting, 93 held"
    )


def test_what_is_stopped_has_no_severity_and_who_is_on_it_need_not_say_so_again() -> None:
    assert "Severity" in said(card_of(incident()))
    assert "Severity" not in said(card_of(incident(IncidentState.REMEDIED), "stop"))
    responding = card_of(incident(IncidentState.ACKNOWLEDGED), "respond", undoable=False)
    assert not labels(responding).keys() & {"acknowledge", "undo-acknowledge"}


def test_who_sends_no_more_is_not_said_to_be_sending() -> None:
    card = card_of(incident(IncidentState.ACKNOWLEDGED, seen=evidence(messages=0)))
    assert card.title == "🚨 anna@example.com sent spam"
    text = said(card)
    assert text.splitlines()[0].endswith("12:00 UTC; not stopped yet.")
    assert "Top senders" not in text


def test_a_sender_without_a_name_is_shown_as_the_null_sender() -> None:
    assert card_of(incident(words=words_of(""))).title == "🚨 <> is sending spam"


@pytest.mark.parametrize(
    ("state", "status", "title"),
    [
        (IncidentState.OPEN, "🔴 Open: nobody has taken this on yet.", "🚨 {} is sending spam"),
        (
            IncidentState.ACKNOWLEDGED,
            "🟡 Acknowledged by {}, 2026-03-02 12:00 UTC; still sending.",
            "🚨 {} is sending spam",
        ),
        (
            IncidentState.SNOOZED,
            "💤 Snoozed by {}, 2026-03-02 12:00 UTC until 2026-03-02 13:00 UTC.",
            "🚨 {} is sending spam",
        ),
        (
            IncidentState.REMEDIED,
            "🟢 Stopped by {}, 2026-03-02 12:00 UTC.",
            "🛑 {} sent spam",
        ),
        (
            IncidentState.FALSE_ALARM,
            "⚪ False alarm, says {}, 2026-03-02 12:00 UTC.",
            "☑️ {}: false alarm",
        ),
        (IncidentState.CLOSED, "⚪ Closed: it is quiet.", "✅ {} sent spam"),
    ],
)
def test_every_state_has_its_sentence(state: IncidentState, status: str, title: str) -> None:
    card = card_of(incident(state))
    assert said(card).splitlines()[0] == status.format("anna@example.com")
    assert card.title == title.format("anna@example.com")


@pytest.mark.parametrize(("action", "word"), [("stop", "Stopped"), ("disable", "Disabled")])
def test_a_remedied_incident_says_what_was_done(action: str, word: str) -> None:
    card = card_of(incident(IncidentState.REMEDIED), action)
    assert card.title == "🛑 anna@example.com sent spam"
    assert said(card).splitlines()[0] == (
        f"🟢 {word} by anna@example.com, 2026-03-02 12:00 UTC. "
        "anna@example.com can no longer send and still receives. 3 messages held."
    )


def test_an_account_enabled_with_a_new_password_is_said_to_send_again() -> None:
    stop, enable = intent("stop"), intent("enable")
    stop.finished_at, enable.finished_at = NOW, NOW + timedelta(minutes=1)
    row = incident(IncidentState.REMEDIED)
    card = alert(row, {"enable": enable}, Buttons(offers(), {}))
    assert card.title == "🛑 anna@example.com sent spam"
    assert said(card).splitlines()[0] == (
        "🟢 Stopped by anna@example.com, 2026-03-02 12:00 UTC. "
        "anna@example.com enabled it again, with a new password."
    )
    stop.finished_at += timedelta(minutes=2)
    card = alert(row, {"enable": enable, "stop": stop}, Buttons(offers(), {}))
    assert "enabled it again" not in said(card)


def test_an_account_that_is_stopped_is_not_said_to_be_still_sending() -> None:
    text = said(card_of(incident(IncidentState.ACKNOWLEDGED), "stop"))
    assert text.splitlines()[0].endswith(", 2026-03-02 12:00 UTC.")
    assert "still sending" not in text


def test_an_incident_that_is_open_again_says_who_is_responding() -> None:
    text = said(card_of(incident(), "respond"))
    assert text.splitlines()[0] == "🔴 Open again; anna@example.com is responding."


# -- what can be pressed on it -------------------------------------------------------


def test_a_new_alert_has_every_act_in_its_place() -> None:
    card = card_of(incident())
    assert labels(card) == {
        "stop": "Stop sending",
        "search": "Review messages",
        "acknowledge": "Acknowledge",
        "respond": "Respond",
        "more": "More…",
    }
    assert more(card) == [label for _, label, _ in alert_card.MORE]
    assert pressed_ids(card) == set(offers(*ALL_ACTIONS).values())


@pytest.mark.parametrize(
    ("action", "label"),
    [("stop", "Undo stop"), ("acknowledge", "Undo acknowledge")],
)
def test_what_is_done_gives_its_place_to_its_undo(action: str, label: str) -> None:
    before, after = card_of(incident()), card_of(incident(), action)
    # Under a name of its own: a late press of the one is never one of the other.
    undo = f"undo-{action}"
    places = [undo if slot == action else slot for slot in labels(before)]
    assert list(labels(after)) == places
    assert labels(after)[undo] == label
    assert labels(after).items() - labels(before).items() == {(undo, label)}
    assert offers(action)[action] not in pressed_ids(after)
    assert undos(action)[action] in pressed_ids(after)


@pytest.mark.parametrize("number", range(len(alert_card.MORE)))
def test_what_is_done_in_the_menu_gives_its_line_to_its_undo(number: int) -> None:
    action, label, undo_label = alert_card.MORE[number]
    state = IncidentState.SNOOZED if action == "snooze" else IncidentState.OPEN
    before, after = card_of(incident(state)), card_of(incident(state), action)
    assert more(before)[number] == label
    if undo_label:
        assert more(after) == [*more(before)[:number], undo_label, *more(before)[number + 1 :]]
    else:
        assert more(after) == [*more(before)[:number], *more(before)[number + 1 :]]


UNDOABLE = ("stop", "acknowledge", *(action for action, _, undo in alert_card.MORE if undo))
PLACES = ["stop", "search", "acknowledge", "respond", "contain", "more"]


@pytest.mark.parametrize("state", IncidentState)
@pytest.mark.parametrize("undoable", [True, False])
def test_whatever_was_done_nothing_moves_and_one_button_at_most_stands_out(
    state: IncidentState, undoable: bool
) -> None:
    order = [words for _, label, undo in alert_card.MORE for words in (label, undo)]
    for size in range(len(UNDOABLE) + 1):
        for done in combinations(UNDOABLE, size):
            card = card_of(incident(state), *done, undoable=undoable)
            slots = [slot.removeprefix("undo-") for slot in labels(card)]
            assert slots == sorted(slots, key=PLACES.index)
            assert len(set(slots)) == len(slots)
            entries = more(card)
            assert entries == sorted(entries, key=order.index)
            styles = [one.style for one in card.buttons if isinstance(one, Button)]
            assert styles.count(Style.PRIMARY) <= 1
            assert Style.DANGER not in styles


@pytest.mark.parametrize("state", NOT_LIVE)
def test_an_incident_that_is_over_offers_no_act(state: IncidentState) -> None:
    assert pressed_ids(card_of(incident(state))) == {offers("search")["search"]}
    # Even if an offer were still at hand, it would not be shown.
    card = alert(incident(state), {}, Buttons(offers(*ALL_ACTIONS), {}))
    assert pressed_ids(card) == {offers("search")["search"]}


@pytest.mark.parametrize("state", NOT_LIVE)
def test_what_was_done_to_the_mail_server_can_be_taken_back_when_the_incident_is_over(
    state: IncidentState,
) -> None:
    card = card_of(incident(state), *UNDOABLE)
    kept = [action for action in UNDOABLE if action not in ("acknowledge", "snooze")]
    assert pressed_ids(card) == {offers("search")["search"], *undos(*kept).values()}


@pytest.mark.parametrize("state", [s for s in IncidentState if s is not IncidentState.SNOOZED])
def test_a_snooze_that_is_over_cannot_be_ended(state: IncidentState) -> None:
    assert "End snooze" not in more(card_of(incident(state), "snooze"))
    assert "End snooze" in more(card_of(incident(IncidentState.SNOOZED), "snooze"))


def test_stop_asks_first_and_says_whom_and_how_much() -> None:
    stop = card_of(incident()).buttons[0]
    assert isinstance(stop, Button)
    assert stop.style is Style.PRIMARY
    assert stop.confirm is not None
    assert stop.confirm.text == (
        "anna@example.com can no longer send (it still receives), and its 1,234 waiting messages "
        "(as of 12:00:05 UTC) and any later ones will be held. This can be undone."
    )
    assert stop.confirm.yes == "Stop sending"


@pytest.mark.parametrize("sender", ["a" * 256, "\u202e" * 256, "anna@example.com" * 16])
def test_the_question_before_a_stop_fits_for_the_longest_sender(sender: str) -> None:
    seen = evidence(queued=100_000_000)
    stop = card_of(incident(words=words_of(sender), seen=seen)).buttons[0]
    assert isinstance(stop, Button)
    assert stop.confirm is not None
    assert len(stop.confirm.text) <= 300
    assert stop.confirm.text.endswith("This can be undone.")


# -- the lines under it --------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (IntentState.CLAIMED, "⏳ anna@example.com is moving messages …"),
        (IntentState.DONE, "✔️ anna@example.com: {}"),
        (IntentState.FAILED, "⚠️ anna@example.com was moving messages. {}"),
        (IntentState.INTERRUPTED, "⚠️ anna@example.com was moving messages. {}"),
    ],
)
def test_a_line_says_how_far_an_act_has_come(state: IntentState, line: str) -> None:
    used = intent("move", state)
    card = line_cards.act_line(used, "move", None)
    assert said(card) == card.fallback == line.format(used.summary)
    assert card.buttons == ()


def test_a_line_of_an_undo_says_what_is_taken_back() -> None:
    under_way = intent("undo", IntentState.CLAIMED, undo_of="x")
    assert line_cards.act_line(under_way, "false_alarm", None).fallback == (
        "⏳ anna@example.com is taking back “false alarm” …"
    )
    done = intent("undo", undo_of="x")
    assert line_cards.act_line(done, "move", None).fallback == f"↩️ anna@example.com: {done.summary}"


def test_a_line_of_what_was_taken_back_says_so_and_offers_nothing() -> None:
    used = intent("move", undone=True)
    card = line_cards.act_line(used, "move", None)
    assert card.fallback == f"↩️ anna@example.com, taken back since: {used.summary}"
    assert card.buttons == ()


@pytest.mark.parametrize(
    ("remedy", "label"), [("move", "Undo move"), ("stop", "Undo"), ("enable", "Undo")]
)
def test_a_line_offers_its_undo_and_says_until_which_day(remedy: str, label: str) -> None:
    card = line_cards.act_line(intent(remedy), remedy, INTENT.format("undo"))
    assert card.buttons == (Button("undo", label, INTENT.format("undo")),)
    assert "Can be undone until 2026-03-09 12:00 UTC" in said(card)


@pytest.mark.parametrize("remedy", REMEDIES)
@pytest.mark.parametrize("state", IntentState)
def test_every_remedy_has_its_line_in_every_state(remedy: str, state: IntentState) -> None:
    assert line_cards.act_line(intent(remedy, state), remedy, None).fallback


# -- the other cards -----------------------------------------------------------------


def test_the_dashboard_states_the_spool_and_the_top_senders() -> None:
    card = CARDS["dashboard"](anna)
    text = said(card)
    assert "1,234 waiting (3 active, 1,231 deferred) · 5 held · 12 in quarantine · 123.5 MB" in text
    assert "Top outbound senders, last hour\nanna@example.com 600 30%" in text
    assert "Top outbound IP addresses, last hour\nanna@example.com 300 15%" in text
    assert "7 · anna@example.com on anna@example.com · open · since 2026-03-02 11:48 UTC" in text
    assert "3 blocked networks · as of 2026-03-02 12:00:05 UTC" in text


def test_a_page_of_results_says_what_was_asked_and_where_one_is() -> None:
    card = CARDS["results"](anna)
    text = said(card)
    assert "1,234 messages match sender:anna@example.com to:anna@example.com" in text
    assert "page 2 of 247, oldest first" in text
    assert [row.button.slot for row in card.sections if isinstance(row, Row)] == [
        f"preview-{number}" for number in range(1, 6)
    ]


def test_a_result_says_all_that_tells_messages_apart() -> None:
    found = spool_cards.Found("everything", Page(1, (message(),)), 1, 1, ["id"], ())
    assert said(spool_cards.results(found)).splitlines()[1:] == [
        "2026-03-02 12:00:05 UTC · deferred · 1.2 kB · anna@example.com",
        "anna@example.com → anna@example.com and 2 more · from anna@example.com",
        "anna@example.com",
        "anna@example.com",
    ]


def test_a_result_in_quarantine_says_its_folder() -> None:
    found = spool_cards.Found(
        "everything", Page(1, (message(queue=Queue.QUARANTINE),)), 1, 1, ["id"], ()
    )
    assert "· quarantine, anna@example.com ·" in said(spool_cards.results(found))


def test_a_search_without_a_result_says_what_was_asked() -> None:
    found = spool_cards.Found("sender:x", Page(0, ()), 1, 1, (), ())
    assert spool_cards.results(found).fallback == "Nothing in the spool matches sender:x."


def test_a_preview_sets_the_envelope_beside_the_headers() -> None:
    text = said(CARDS["preview"](words_of(*(f"text{n}" for n in range(200)))))
    assert "Authenticated as text2" in text
    assert "Envelope sender text1" in text
    assert "From address text3" in text
    assert "To 3 recipients: text4, text5, text6" in text
    assert "text9: text10" in text
    assert "Attachments, not opened: text130" in text


def test_a_preview_of_a_bounce_says_that_nobody_authenticated() -> None:
    text = said(CARDS["preview"](words_of("")))
    assert "Authenticated as nobody" in text
    assert "Envelope sender <>" in text
    assert "From address unknown" in text
    assert "(no text)" in text


def test_the_audit_log_says_who_did_what_on_which_day() -> None:
    text = said(CARDS["audit"](anna))
    line = "0 · 2026-03-02 12:00:05 UTC · anna@example.com · undo stop · intent · anna@example.com"
    assert line in text
    assert (
        said(spool_cards.audit([], "The chain is whole."))
        == "The log is empty.\nThe chain is whole."
    )


def test_a_name_as_long_as_a_novel_leaves_room_for_the_rest() -> None:
    for name, make in CARDS.items():
        if name.startswith(("alert", "line", "audit", "dashboard", "incidents")):
            text = said(make(words_of("n" * 5000)))
            assert len(max(text.splitlines(), key=len)) < 6000, name
            assert len(make(words_of("n" * 5000)).title) < 100


def test_the_moments_of_these_samples_are_what_the_tests_take_them_for() -> None:
    assert intent().undo_until == NOW + timedelta(days=7)


def test_results_of_a_server_that_shows_no_message_have_no_preview_and_say_why() -> None:
    found = spool_cards.Found(
        "sender:x", Page(1, (message(),)), 1, 1, (), (), ("It shows no message.",)
    )
    card = spool_cards.results(found)
    assert not any(isinstance(section, Row) for section in card.sections)
    assert said(card).splitlines()[-1] == "It shows no message."
