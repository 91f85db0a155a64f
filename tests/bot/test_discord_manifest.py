"""The slash command in Discord: made from the table, whole, within Discord's limits, synced once.

Limits are those of "Application Commands" in Discord's documentation.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.commands import COMMANDS
from bot.discord.commands import GROUP, is_registered
from bot.discord.manifest import manifest

FILE = Path(__file__).parents[2] / "manifest" / "discord.json"
COMMAND: dict[str, Any] = json.loads(FILE.read_text("utf-8"))[0]
NAME = re.compile(r"[-_a-z0-9]{1,32}\Z")


def described(part: Any) -> Iterator[dict[str, Any]]:
    """Yield the command, its subcommands and their options."""
    yield part
    for option in part.get("options", []):
        yield from described(option)


def test_the_file_is_what_the_table_makes() -> None:
    assert FILE.read_text("utf-8") == manifest(), "run: make manifest"


def test_there_is_a_subcommand_for_each_row_that_can_be_typed_with_each_of_its_arguments() -> None:
    rows = {row.name: row for row in COMMANDS.values() if row.slash}
    options = {option["name"]: option for option in COMMAND["options"]}
    assert COMMAND["name"] == GROUP
    assert set(options) == set(rows)
    for name, row in rows.items():
        given_options = options[name].get("options", [])
        assert {o["name"] for o in given_options} == {a.typed for a in row.takes}
        required = [o["name"] for o in given_options if o["required"]]
        assert required == [a.typed for a in row.takes if a.required]
        # What is required comes first.
        assert [o["name"] for o in given_options][: len(required)] == required


def test_it_is_within_every_limit() -> None:
    length = 0
    for part in described(COMMAND):
        assert NAME.match(part["name"])
        assert 1 <= len(part["description"]) <= 100
        assert len(part.get("options", [])) <= 25
        assert len(part.get("choices", [])) <= 25
        assert not (part.get("choices") and part.get("autocomplete"))
        length += len(part["name"]) + len(part["description"])
        length += sum(len(c["name"]) + len(c["value"]) for c in part.get("choices", []))
    assert length <= 8000


def test_nobody_but_an_administrator_sees_it_until_it_is_shown() -> None:
    assert COMMAND["default_member_permissions"] == 0
    assert COMMAND["dm_permission"] is False


def test_what_discord_gives_back_counts_as_registered_and_any_change_does_not() -> None:
    there = json.loads(json.dumps(COMMAND))
    there |= {"id": "1", "version": "2", "default_member_permissions": "0", "nsfw": False}
    for option in there["options"]:
        for inner in option.get("options", []):
            if inner["required"] is False:
                del inner["required"]
    assert is_registered([COMMAND], [there])
    # Of a command of one server Discord keeps none of this, or says what it does of itself.
    bare = {key: value for key, value in there.items() if key not in _GLOBAL}
    bare["options"] = [{k: v for k, v in o.items() if v != []} for o in there["options"]]
    assert bare["options"] != there["options"]
    assert is_registered([COMMAND], [bare])
    assert is_registered([COMMAND], [bare | {"integration_types": [0], "contexts": [0]}])
    assert not is_registered([COMMAND], [])
    assert not is_registered([COMMAND], [there, there])
    there["options"][1]["description"] = "another"
    assert not is_registered([COMMAND], [there])
    there = json.loads(json.dumps(COMMAND)) | {"default_member_permissions": None}
    assert not is_registered([COMMAND], [there])


_GLOBAL = ("dm_permission", "contexts", "integration_types")
JSON = st.recursive(
    st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=8
)


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(), JSON))
def test_what_is_wanted_is_there_whatever_discord_adds(
    wanted: dict[str, Any], more: dict[str, Any]
) -> None:
    assert is_registered(wanted, more | wanted)
