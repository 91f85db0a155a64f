"""After an act that was cut off, the mail server itself says how things stand."""

from ipaddress import ip_network

from services.mail.port import UserState
from services.reconcile import truth
from services.remedies import REMEDIES
from services.targets import Target

from ..mail.harness import ANN
from .bench import Bench

NETWORKS = (ip_network("203.0.113.7"), ip_network("203.0.113.8"))


async def test_an_account_that_was_stopped_only_in_part_is_told_so(bench: Bench) -> None:
    ids = await bench.deferred(3)
    target = Target(account=ANN)
    assert await truth(bench.server, "stop", target) == (
        f"Now {ANN} can send and receive; 3 messages of it waiting, 0 held."
    )
    await bench.server.set_user_state(ANN, UserState.NO_SENDING)
    await bench.server.hold(ids[:2])
    assert await truth(bench.server, "stop", target) == (
        f"Now {ANN} cannot send and still receives; 1 message of it waiting, 2 held."
    )
    assert await truth(bench.server, "disable", target) == (
        f"Now {ANN} cannot send and still receives."
    )
    nobody = Target(account="nobody@example.com")
    assert "is no mailbox there" in await truth(bench.server, "enable", nobody)


async def test_messages_are_counted_where_they_are(bench: Bench) -> None:
    ids = await bench.deferred(4)
    await bench.server.move(ids[:2], "review")
    await bench.server.delete(ids[3:])
    target = Target(queue_ids=tuple(ids))
    assert await truth(bench.server, "move", target) == (
        "Now of 4 messages 1 are in the queue and 2 in the folder review, 1 elsewhere or gone."
    )
    assert await truth(bench.server, "delete", target) == (
        "Now of 4 messages 1 are in the queue and 0 in the folder deleted, 3 elsewhere or gone."
    )


async def test_blocks_are_counted(bench: Bench) -> None:
    target = Target(networks=NETWORKS)
    await bench.server.block(NETWORKS[0], reason="spam", lasting=None)
    assert await truth(bench.server, "block", target) == "Now 1 of 2 networks is blocked."


async def test_what_changes_nothing_on_the_server_needs_no_look(bench: Bench) -> None:
    said = {name: await truth(bench.server, name, Target(account=ANN)) for name in REMEDIES}
    assert {name for name, text in said.items() if not text} == {
        "acknowledge",
        "snooze",
        "false_alarm",
        "forget",
        "respond",
        "look",
        "judge",
        "reported",
    }
