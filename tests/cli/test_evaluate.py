"""spoolwarden evaluate: makes traffic, reads it again, and says how good the detector was."""

import json
from pathlib import Path

from tests.end_to_end.playing import command


async def _run(*arguments: str) -> tuple[int | None, bytes, str]:
    process = await command("evaluate", *arguments)
    out, err = await process.communicate()
    return process.returncode, out, err.decode()


async def test_generated_traffic_is_evaluated_like_the_scenario_itself(tmp_path: Path) -> None:
    code, traffic, _ = await _run("--generate", "many-accounts", "--seed", "9")
    assert code == 0
    file, figures = tmp_path / "mine.jsonl", tmp_path / "figures.json"
    file.write_bytes(traffic)
    code, out, _ = await _run(str(file), "--json", str(figures))
    assert code == 0
    assert "many-accounts" in out.decode()
    found = json.loads(figures.read_text())
    assert found["total"]["abused"] == 15
    assert found["total"]["recall"] == 1
    assert found["fixed_limits_as_good"] == []
    assert found["seeds"] == [9]


async def test_a_bad_file_and_an_unknown_name_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("no\n")
    code, _, err = await _run(str(tmp_path / "bad.jsonl"))
    assert code == 1
    assert "bad.jsonl, line 1 is not JSON" in err
    code, _, err = await _run("no-such-scenario")
    assert code == 1
    assert "There is no scenario 'no-such-scenario'" in err


async def test_a_kind_of_server_that_is_not_known_is_a_sentence() -> None:
    code, _, err = await _run("new-employee", "--server", "sendmail")
    assert code == 1
    assert "no kind of mail server 'sendmail'" in err
    assert "smartermail" in err
