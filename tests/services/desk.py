"""What answers people, on the services of a bench."""

from datetime import timedelta

from bot.desk import Desk
from bot.dispatch import Dispatch
from services.listings import Listings
from services.settings import DnsblSettings

from .bench import Bench


def dispatch_of(bench: Bench) -> Dispatch:
    """Return one without any chat, which nothing has to be told to."""

    async def refresh(server: str, incident_id: int) -> None:
        await bench.detector.refresh(bench.server, incident_id)

    return Dispatch(
        Desk(
            pipeline=bench.pipeline,
            intents=bench.intents,
            store=bench.store,
            access=bench.access,
            audit=bench.audit,
            rules=bench.rules,
            clock=bench.clock,
            servers=("mail",),
            kept=timedelta(days=7),
            listings=Listings(bench.store, {}, bench.audit, bench.clock, DnsblSettings()),
            refresh=refresh,
            why=bench.detector.why,
            origin_of=bench.origin_of,
            changed=lambda: None,
        )
    )
