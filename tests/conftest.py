"""What holds for every test."""

import pytest

from services.garbage import settle

from .mail.harness import cheap_passwords


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Have memory looked after as in the bot: to collect garbage took 8% of the tests' time."""
    settle()
    cheap_passwords()


#: These take longest. Begun last, one worker would be at them when all others have ended.
_LONGEST = (
    "tests/faults/",
    "tests/end_to_end/test_drill.py",
    "tests/end_to_end/test_several_instances.py",
    "tests/end_to_end/test_instances_on_discord.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))
