"""What holds for every test."""

import pytest
from argon2 import PasswordHasher

from services.garbage import settle
from services.mail.embedded.accounts import Accounts


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Have memory looked after as in the bot: to collect garbage took 8% of the tests' time."""
    settle()
    # Spam comes from eight addresses, which log in at once: to have a password cost as much as
    # it should took a third of a test's time. That it does is tests/mail/test_accounts.py's.
    Accounts.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
