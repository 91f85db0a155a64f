"""The drill's steps that manage an account from its card."""

import re

from bot.demo.sender import SmtpRefused
from bot.demo.town import PASSWORD
from bot.drill.playing import needs
from bot.drill.report import Feature
from bot.drill.scene import ACCOUNT, Attack
from bot.drill.wire import Wire
from bot.hands import Unexpected, expect
from services.responding import STEPS
from services.summary import literal

_PASSWORD = re.compile(r"(?:[A-Za-z2-9]{5}-){3}[A-Za-z2-9]{5}")


async def managed(scene: Attack, feature: Feature) -> None:
    """/spool user tells all of an account; its sessions are ended, its password is a new one."""
    needs(scene, "password")
    needs(scene, "end_sessions")
    session = await scene.wire.logged_in(ACCOUNT)
    try:
        feature.asked = True
        card = await scene.otto.type(f"user {ACCOUNT}")
        expect(card.text, f"{ACCOUNT}: ", "open SMTP session", "messages in the last 24 h")
        form = await scene.otto.press_for_form(card, "End sessions…")
        expect(await scene.otto.choose(form), "ended")
        ended = (await session.command("NOOP")).code
    finally:
        await session.close()
    form = await scene.otto.press_for_form(card, "New password…")
    shown = _PASSWORD.search(await scene.otto.choose(form))
    if shown is None:
        raise Unexpected("no new password was shown")
    feature.done = True
    try:
        old, new = await _logs_in(scene, PASSWORD), await _logs_in(scene, shown[0])
    finally:
        await scene.server.set_password(ACCOUNT, PASSWORD)
    log = [entry.detail for entry in await scene.app.audit.newest(20)]
    feature.verified = ended == 421 and new and not old and not any(shown[0] in d for d in log)
    feature.evidence = (
        f"the open session was told {ended}; the new password logs in, the old one does not, "
        "and the log has neither"
    )


async def respond(scene: Attack, feature: Feature) -> None:
    """Respond puts the steps into the thread; two are done, and ticked; the summary has them."""
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    await scene.otto.press(card, "Respond")
    guide = await scene.otto.line(card, f"▶️ 1. {STEPS[0].what}")
    await scene.otto.press_privately(guide, "Evidence")
    guide = await scene.otto.line(card, f"▶️ 2. {STEPS[1].what}")
    samples = await scene.otto.press_privately(guide, "Samples")
    expect(samples.text, "From: ", "in the spool; ", "of them below")
    await scene.otto.press(samples, "It is spam")
    guide = await scene.otto.line(card, f"▶️ 3. {STEPS[2].what}")
    feature.done = True
    expect(guide.text, f"☑️ 1. {STEPS[0].what}", f"☑️ 2. {STEPS[1].what}")
    number = (await scene.otto.alert(ACCOUNT)).text.partition("Incident ")[2].split()[0]
    told = await scene.vera.type(f"summary {number}")
    expect(told.text, "Counts", "acknowledged by otto")
    await scene.vera.press_privately(told, "Markdown file")
    file = (await scene.vera.file(f"incident-{number}.md")).decode("utf-8")
    expect(file, "## Counts", literal(ACCOUNT), "**otto**: ")
    log = [entry for entry in await scene.app.audit.newest(40) if entry.phase == "result"]
    feature.verified = {"look", "judge", "respond"} <= {entry.action for entry in log}
    feature.evidence = (
        f"the log has each of them; the summary of incident {number}, {len(file):,} characters of "
        "Markdown as a file, names them"
    )


async def _logs_in(scene: Attack, password: str) -> bool:
    wire = Wire("127.0.0.1", scene.stage.server.port, password=password)
    try:
        client = await wire.logged_in(ACCOUNT)
    except SmtpRefused:
        return False
    await client.close()
    return True
