"""The drill's steps that only look."""

from collections import Counter

from bot.drill import shared
from bot.drill.report import Feature
from bot.drill.scene import ACCOUNT, LOUD_MESSAGES, LOUD_NOW, Attack
from bot.hands import Unexpected, expect
from services.language import trn
from services.mail.port import SpoolQuery, UserState, submitted


async def alert(scene: Attack, feature: Feature) -> None:
    """Spam comes in over SMTP; one alert tells who, how much, since when and from where."""
    feature.asked = True
    scene.sent = await scene.stage.traffic.attack(LOUD_NOW, limit=LOUD_MESSAGES)
    await scene.otto.alert(ACCOUNT)
    card = await scene.otto.card_with(ACCOUNT, f"{scene.sent} messages in 5 min")
    feature.done = True
    expect(
        card.text,
        "never seen sending before",
        f"from {len(LOUD_NOW.addresses)} addresses in",
        "identical subjects",
        "Top senders",
        "Since",
        "Stop sending",
    )
    told = submitted(await scene.server.submissions(None, 5000))
    accepted = [s for s in told if s.sender == ACCOUNT]
    if len(accepted) != scene.sent:
        raise Unexpected(f"{scene.sent} sent, the server's log has {len(accepted)}")
    picture = await scene.otto.picture(card)
    expect(picture.words, "Messages sent in each 5 min", "Detected at", "Sent from: ")
    feature.verified = picture.data.startswith(b"\x89PNG")
    feature.evidence = (
        f"the server's log has {len(accepted)} messages of {ACCOUNT}; the alert has a picture of "
        f"{len(picture.data):,} bytes"
    )


async def roles(scene: Attack, feature: Feature) -> None:
    """A viewer may not act, and a stranger may not even look; both are told privately."""
    card = await scene.vera.alert(ACCOUNT)
    feature.asked = True
    await shared.kept_out(scene, await scene.vera.press_privately(card, "Stop sending"))
    feature.done = True
    user = await scene.server.user(ACCOUNT)
    feature.verified = user is not None and user.state is UserState.ACTIVE
    feature.evidence = f"{ACCOUNT} is {user.state.value if user else 'gone'} as before"


async def dashboard(scene: Attack, feature: Feature) -> None:
    """/spool shows the spool's counts, top senders and top addresses."""
    feature.asked = True
    shown, counts = await shared.dashboard(scene)
    feature.done = True
    expect(shown, "Top outbound senders", ACCOUNT, "Top outbound IP addresses")
    # Of eight that sent alike, five are shown.
    shown_addresses = [address for address in LOUD_NOW.addresses if address in shown]
    feature.verified = counts.waiting >= scene.sent and len(shown_addresses) == 5
    feature.evidence = f"the server counts {counts.waiting} waiting"


async def search(scene: Attack, feature: Feature) -> None:
    """/spool search finds by sender, IP, subject and queue, page by page."""
    feature.asked = True
    shown = await scene.vera.type(f'search sender:{ACCOUNT} subject:"parcel"')
    expect(shown.text, f"{scene.sent} messages match", "page 1 of")
    second = await scene.vera.press_privately(shown, "Next ▶")
    expect(second.text, "page 2 of")
    none = (await scene.vera.type(f"search sender:{ACCOUNT} older:1h queue:deferred")).text
    expect(none, "Nothing in the spool matches")
    one = LOUD_NOW.addresses[0]
    by_ip = (await scene.vera.type(f"search ip:{one}")).text
    feature.done = True
    page = await scene.server.search(SpoolQuery(sender=ACCOUNT), limit=1)
    told = submitted(await scene.server.submissions(None, 5000))
    mine = [s for s in told if s.client_ip == one]
    expect(by_ip, f"{len(mine)} messages match ip:{one}")
    feature.verified = page.total == scene.sent
    feature.evidence = f"the server finds {page.total}, {len(mine)} of them from {one}"


async def looks(scene: Attack, feature: Feature) -> None:
    """/spool why, top and ip tell of the account, who sends most, and who used an address."""
    feature.asked = True
    evidence = (await scene.vera.type(f"why {ACCOUNT}")).text
    users = await scene.vera.type("top users 1h")
    ips = (await scene.vera.press_privately(users, "IP addresses")).text
    one = LOUD_NOW.addresses[0]
    address = (await scene.vera.type(f"ip {one}")).text
    feature.done = True
    told = submitted(await scene.server.submissions(None, 5000))
    mine = [one for one in told if one.sender == ACCOUNT]
    sent = trn("{n} message", "{n} messages", len(mine))
    from_each = Counter(submission.client_ip for submission in mine)
    expect(evidence, f"{ACCOUNT}: active", f"{sent} in the last 24 h", "near-identical subjects")
    expect(users.text, f"1. {ACCOUNT}\n{sent}")
    for client, number in from_each.items():
        expect(ips, f"{client}\n{trn('{n} message', '{n} messages', number)} · ")
    expect(
        address,
        f"{one} is not blocked.",
        f"{ACCOUNT}\n{trn('{n} message', '{n} messages', from_each[one])}",
    )
    feature.verified = len(mine) == scene.sent
    feature.evidence = f"the server's log has {sent}, {from_each[one]} of them from {one}"


async def report(scene: Attack, feature: Feature) -> None:
    """/spool report counts as the log does: its trend in a picture, its domains, their users."""
    feature.asked = True
    shown = await scene.vera.type("report")
    picture = await scene.vera.picture(shown)
    domains = await scene.vera.pick_privately(shown, "Domains")
    users = await scene.vera.press_privately(domains, "Users")
    feature.done = True
    told = submitted(await scene.server.submissions(None, 5000))
    out = sum(1 for one in told if one.authenticated)
    mine = sum(1 for one in told if one.sender == ACCOUNT)
    expect(shown.text, f"Outgoing: {out:,}", "Counted from the log of")
    expect(picture.words, f"Outgoing: {out:,}")
    expect(domains.text, f"{out:,} outgoing in all")
    expect(users.text, f"{ACCOUNT}\n{mine:,} out")
    feature.verified = picture.data.startswith(b"\x89PNG")
    feature.evidence = f"the server's log has {out:,} outgoing, {mine:,} of them of {ACCOUNT}"


async def review(scene: Attack, feature: Feature) -> None:
    """Review messages lists them; Preview shows headers and text, and who looked is audited."""
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    listed = await scene.otto.press_privately(card, "Review messages")
    expect(listed.text, f"{scene.sent} messages match sender:{ACCOUNT}")
    looked = await shared.preview(scene, listed)
    feature.done = True
    queue_id, raw = await scene.oldest()
    subject = next(line for line in raw.decode().splitlines() if line.startswith("Subject: "))
    shown, looked_into = looked or ("", "")
    expect(shown, queue_id, subject, "Parcel Desk", ACCOUNT, "Confirm your address")
    feature.verified = looked_into == queue_id
    feature.evidence = f"{queue_id} on the server has the same subject; the look is audited"


async def words(scene: Attack, feature: Feature) -> None:
    """A wrong argument gets a private sentence; help, incidents and audit answer."""
    expect((await scene.vera.type("incidents")).text, ACCOUNT)
    await shared.words(scene, feature)
