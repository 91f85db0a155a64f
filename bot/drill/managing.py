"""The drill's steps that manage an account from its card."""

import re

from bot.demo.sender import SmtpRefused
from bot.demo.town import PASSWORD
from bot.drill.playing import needs
from bot.drill.report import Feature
from bot.drill.scene import ACCOUNT, Attack
from bot.drill.wire import Wire
from bot.hands import Unexpected, expect

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


async def _logs_in(scene: Attack, password: str) -> bool:
    wire = Wire("127.0.0.1", scene.stage.server.port, password=password)
    try:
        client = await wire.logged_in(ACCOUNT)
    except SmtpRefused:
        return False
    await client.close()
    return True
