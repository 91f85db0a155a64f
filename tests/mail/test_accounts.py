"""How the embedded server keeps passwords."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from argon2 import Type, extract_parameters

from services.mail.embedded.accounts import HASHER, Accounts

from .harness import ANN, EmbeddedHarness


async def test_a_kept_password_costs_whoever_guesses_it_what_owasp_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Accounts, "hasher", HASHER)  # in all other tests it costs next to nothing
    mail = EmbeddedHarness(tmp_path)
    await mail.start()
    await mail.add_user(ANN)
    await (await mail.logged_in(ANN)).close()
    await mail.stop()
    with closing(sqlite3.connect(mail.config.database)) as database:
        ((kept,),) = database.execute("SELECT password_hash FROM account")
    cost = extract_parameters(kept)
    assert cost.type is Type.ID
    assert (cost.memory_cost, cost.time_cost) >= (19 * 1024, 2)
