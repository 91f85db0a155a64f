"""The detector's speed, in a process of its own. Prints one JSON object.

``python -m tests.bench.detector engine N`` - N submissions through the engine, then polls
``python -m tests.bench.detector counter N`` - the same through a counter with one limit

The submissions are made as they are needed, and the time that takes is taken off. Seconds are
those of one core: what else the machine does meanwhile is not counted.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from random import Random
from typing import Any

from services.detection.engine import Engine, Event
from services.garbage import settle

_SENDERS = 10_000
_DAYS = 10
#: The first days are read from the server's log, as when the bot is new.
_HISTORY = 3
_BEGIN = 1_767_571_200
_DAY = 86_400
_LIMIT = 100
_WORDS = [
    "offer",
    "minutes",
    "lunch",
    "draft",
    "order",
    "contract",
    "workshop",
    "photos",
    "invoice",
    "budget",
]


def _traffic(number: int) -> Iterator[list[Event]]:
    """Yield what came in each ten seconds in which something did."""
    chance = Random(1)  # noqa: S311 - must repeat
    weights = list(accumulate(chance.lognormvariate(0, 0.8) for _ in range(_SENDERS)))
    subjects = [
        f"{chance.choice(_WORDS)} {chance.choice(_WORDS)} {chr(97 + n % 26) * (2 + n % 7)} {n}"
        for n in range(20_000)
    ]
    for day in range(_DAYS):
        events = []
        for who in chance.choices(range(_SENDERS), cum_weights=weights, k=number // _DAYS):
            at = _BEGIN + day * _DAY + min(86_399.0, max(0.0, chance.gauss(13, 3.2) * 3600))
            to = f"to{who}-{int(40 * chance.random() ** 2)}@example.org"
            events.append(
                Event(at, f"user{who}@example.com", f"10.{who % 200}.{who % 7}.5", 1,
                      chance.choice(subjects), chance.randrange(30_000), (to,))
            )  # fmt: skip
        events.sort()
        begin = 0
        while begin < len(events):
            end, place = begin, events[begin].time // 10
            while end < len(events) and events[end].time // 10 == place:
                end += 1
            yield events[begin:end]
            begin = end


def _engine(number: int) -> dict[str, Any]:
    engine, seconds, alarms, now = Engine(), 0.0, 0, 0.0
    history = _BEGIN + _HISTORY * _DAY
    for events in _traffic(number):
        now = events[-1].time
        begin = time.process_time()
        engine.take(events, now + 2 * _DAY if now < history else now)
        alarms += len(engine.judge(now))
        seconds += time.process_time() - begin
    polls = []
    for turn in range(1, 4):
        events = [
            Event(now + turn * 10, f"user{n}@example.com", f"10.{n % 200}.{n % 7}.5", 1,
                  f"a letter {n}", 5000, (f"to{n}-1@example.org",))
            for n in range(_SENDERS)
        ]  # fmt: skip
        begin = time.process_time()
        engine.take(events, now + turn * 10)
        engine.judge(now + turn * 10)
        polls.append(time.process_time() - begin)
    return {"seconds": seconds, "alarms": alarms, "senders": len(engine), "polls": polls}


def _counter(number: int) -> dict[str, Any]:
    """What a fixed limit takes: each sender's times of the last hour."""
    times: dict[str, deque[float]] = {}
    seconds, alarms = 0.0, 0
    for events in _traffic(number):
        begin = time.process_time()
        for event in events:
            mine = times.get(event.user)
            if mine is None:
                mine = times[event.user] = deque()
            mine.append(event.time)
            while mine[0] <= event.time - 3600:
                mine.popleft()
            if len(mine) > _LIMIT:
                alarms += 1
        seconds += time.process_time() - begin
    return {"seconds": seconds, "alarms": alarms, "senders": len(times)}


def main() -> None:
    settle()  # as the bot does
    works = {"engine": _engine, "counter": _counter}
    print(json.dumps(works[sys.argv[1]](int(sys.argv[2]))))  # noqa: T201


if __name__ == "__main__":
    main()
