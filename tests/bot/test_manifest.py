"""The Slack app's manifest: made from the table, whole, and within Slack's limits.

Lengths and names are those of Slack's "App manifest reference".
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.commands import COMMAND, COMMANDS
from bot.slack.manifest import SCOPES, manifest
from bot.workspace import BOT_SCOPES

FILE = Path(__file__).parents[2] / "manifest" / "slack.yaml"

Json = dict[str, Any]


@pytest.fixture
def app() -> Json:
    loaded: Json = yaml.safe_load(FILE.read_text("utf-8"))
    return loaded


def test_the_file_is_what_the_table_makes() -> None:
    assert FILE.read_text("utf-8") == manifest(), "run: make manifest"


def test_it_has_the_parts_that_slack_knows_and_no_others(app: Json) -> None:
    assert set(app) == {"display_information", "features", "oauth_config", "settings"}
    assert set(app["features"]) == {"app_home", "bot_user", "slash_commands"}
    assert set(app["oauth_config"]) == {"scopes"}
    assert set(app["settings"]) == {
        "event_subscriptions",
        "interactivity",
        "org_deploy_enabled",
        "socket_mode_enabled",
        "token_rotation_enabled",
    }


def test_it_asks_for_each_scope_of_the_list_and_no_other(app: Json) -> None:
    assert app["oauth_config"]["scopes"] == {"bot": list(SCOPES)}
    assert all(SCOPES.values())


def test_its_scopes_are_what_the_local_workspace_grants() -> None:
    assert set(SCOPES) <= set(BOT_SCOPES)


def test_what_it_may_not_do_it_does_not_ask_for() -> None:
    for scope in ("files:read", "users:read.email", "chat:write.public", "chat:write.customize"):
        assert scope not in SCOPES
    assert not [scope for scope in SCOPES if scope.startswith(("admin", "im:", "mpim:"))]


def test_it_has_the_one_slash_command(app: Json) -> None:
    [command] = app["features"]["slash_commands"]
    assert command["command"] == COMMAND == "/spool"
    assert len(command["command"]) <= 32
    assert 0 < len(command["description"]) <= 2000
    assert 0 < len(command["usage_hint"]) <= 1000
    # Slack would rewrite addresses as links; the parser wants them as typed.
    assert command["should_escape"] is False
    # With Socket Mode a command has no URL.
    assert "url" not in command


def test_the_hint_names_every_command_that_can_be_typed(app: Json) -> None:
    [command] = app["features"]["slash_commands"]
    assert command["usage_hint"].strip("[]").split("|") == [
        row.name for row in COMMANDS.values() if row.slash
    ]


def test_it_speaks_over_socket_mode_and_is_pressed(app: Json) -> None:
    assert app["settings"]["socket_mode_enabled"] is True
    assert app["settings"]["interactivity"] == {"is_enabled": True}
    assert app["settings"]["token_rotation_enabled"] is False


def test_it_hears_of_an_opened_home_and_of_nothing_else(app: Json) -> None:
    assert app["settings"]["event_subscriptions"] == {"bot_events": ["app_home_opened"]}
    home = app["features"]["app_home"]
    # Without the tab for messages Slack lets the app send none (messages_tab_disabled).
    assert home == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": True,
    }


def test_what_it_calls_itself_fits(app: Json) -> None:
    shown = app["display_information"]
    assert shown["name"] == "Spoolwarden"
    assert len(shown["name"]) <= 35
    assert 0 < len(shown["description"]) <= 140
    assert re.fullmatch(r"#([0-9a-fA-F]{3}){1,2}", shown["background_color"])
    assert len(app["features"]["bot_user"]["display_name"]) <= 80
