"""What holds for every test."""

import pytest
from hypothesis import HealthCheck, settings

from services.garbage import settle

from .databases import compile_once
from .mail.harness import cheap_passwords

# What a property says is no faster on a busy machine: there, 200 ms for one example and a
# second for ten of them are over whenever another process has the processor.
settings.register_profile(
    "any", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any")


# Of one test each that goes on for a minute.
_LONG = ("tests/faults/", "tests/end_to_end/test_drill.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: as the last of all they kept one processor busy and no other."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Have memory looked after as in the bot: to collect garbage took 8% of the tests' time."""
    settle()
    cheap_passwords()
    compile_once()
