"""What monitoring is told of the outbox: how much waits, and for how long."""

from bot.backlog import standing

from .bench import Bench


async def test_an_alert_that_was_never_shown_has_waited_since_it_was_opened(bench: Bench) -> None:
    await bench.burst(44)
    await bench.poll()
    opened = (await bench.incident()).opened_at
    for _ in range(5):
        # It goes on, and so is written anew at each poll.
        bench.pass_time(minutes=2)
        await bench.burst(10)
        await bench.poll()
    assert (await bench.incident()).updated_at > opened
    found = (await standing(bench.store, ["slack"])).backlogs["slack"]
    assert found.messages == 1
    assert found.oldest == opened
