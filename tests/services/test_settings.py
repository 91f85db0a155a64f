"""The settings: the environment wins, each mistake is named, and no secret is ever shown."""

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from services.errors import ConfigError
from services.language import LANGUAGES
from services.settings import Settings, load

_CANARY = "xoxb-CANARY-0123456789"
_MINIMAL = '[[mail_server]]\nname = "mail"\n'
_SLACK = f'[slack]\nbot_token = "{_CANARY}"\nchannel = "C1"\napp_token = "{_CANARY}"\n'


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SPOOLWARDEN_")]:
        monkeypatch.delenv(name)


def _file(folder: Path, text: str) -> Path:
    file = folder / "spoolwarden.toml"
    file.write_text(text, "utf-8")
    return file


def _loaded(folder: Path, text: str) -> Settings:
    return load(_file(folder, text))


def _sentence(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as wrong:
        _loaded(folder, text)
    said = wrong.value.sentence
    assert said.endswith(".")
    assert _CANARY not in said
    assert "CANARY" not in said
    return said


def test_a_minimal_file_has_every_default(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, _MINIMAL)
    assert settings.database == "sqlite:///spoolwarden.db"
    assert settings.slack is None
    assert [server.name for server in settings.mail_server] == ["mail"]
    assert settings.access.admins == ()
    assert (settings.detection.min_messages, settings.detection.min_messages_spread) == (40, 6)
    assert settings.safety.deleted_kept_days == 7


def test_everything_is_read_into_its_type(tmp_path: Path) -> None:
    settings = _loaded(
        tmp_path,
        _MINIMAL
        + _SLACK
        + '[safety]\nprotected_accounts = ["Boss@Example.test"]\n'
        + 'trusted_networks = ["198.51.100.7/24", "2001:db8::/32"]\n'
        + '[access]\nadmins = ["U1", "group:S1"]\n',
    )
    assert settings.safety.protected_accounts == ("boss@example.test",)
    assert settings.safety.trusted_networks == (
        ip_network("198.51.100.0/24"),
        ip_network("2001:db8::/32"),
    )
    assert settings.access.admins == ("U1", "group:S1")
    assert settings.slack is not None
    assert settings.slack.bot_token.get_secret_value() == _CANARY


def test_a_secret_is_not_in_what_is_printed_of_the_settings(tmp_path: Path) -> None:
    users = f'users = [{{address = "ann@example.test", password = "{_CANARY}"}}]\n'
    settings = _loaded(tmp_path, _MINIMAL + users + _SLACK)
    for printed in (repr(settings), str(settings), settings.model_dump_json()):
        assert "CANARY" not in printed


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOOLWARDEN_DATABASE", "sqlite:///other.db")
    monkeypatch.setenv("SPOOLWARDEN_SLACK__BOT_TOKEN", "from-the-environment")
    monkeypatch.setenv("SPOOLWARDEN_DETECTION__MIN_MESSAGES", "77")
    monkeypatch.setenv("SPOOLWARDEN_SAFETY__PROTECTED_ACCOUNTS", '["ceo@example.test"]')
    settings = _loaded(
        tmp_path,
        'database = "sqlite:///file.db"\n'
        + _MINIMAL
        + _SLACK
        + "[detection]\nmin_messages = 5\nmin_messages_spread = 3\n",
    )
    assert settings.database == "sqlite:///other.db"
    assert settings.slack is not None
    assert settings.slack.bot_token.get_secret_value() == "from-the-environment"
    # The rest of a table that the environment speaks of stays as the file has it.
    assert settings.slack.channel == "C1"
    assert (settings.detection.min_messages, settings.detection.min_messages_spread) == (77, 3)
    assert settings.safety.protected_accounts == ("ceo@example.test",)


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOOLWARDEN_MAIL_SERVER", '[{"kind": "embedded", "name": "mail"}]')
    assert load(None).mail_server[0].name == "mail"


def test_the_bot_speaks_any_language_that_there_is_a_catalogue_of_and_no_other(
    tmp_path: Path,
) -> None:
    for language in LANGUAGES:
        assert _loaded(tmp_path, f'language = "{language}"\n{_MINIMAL}').language == language
    for wrong in ("xx", "DE", "", f"../{_CANARY}"):
        said = _sentence(tmp_path, f'language = "{wrong}"\n{_MINIMAL}')
        assert "language" in said
        assert ", ".join(LANGUAGES) in said


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    with pytest.raises(ConfigError) as wrong:
        load(file)
    assert wrong.value.sentence == f"There is no configuration file {file}."


def test_what_is_no_file_or_no_text_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    file = tmp_path / "spoolwarden.toml"
    file.write_bytes(b'bot_token = "CANARY\xff"')
    with pytest.raises(ConfigError, match="cannot be read") as wrong:
        load(file)
    assert "CANARY" not in wrong.value.sentence


@pytest.mark.parametrize(
    "text",
    [
        f'bot_token = "{_CANARY}',
        f"bot_token = {_CANARY}",
        f'bot_token = "{_CANARY}"\nbot_token = "{_CANARY}"',
        f'["{_CANARY}"',
    ],
)
def test_invalid_toml_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    said = _sentence(tmp_path, text)
    assert "is not valid TOML" in said
    assert "line " in said or "end of document" in said


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "mail_server: "),
        (f"{_MINIMAL}databse = 1\n", "mail_server.0.databse: "),
        (f"typo = 1\n{_MINIMAL}", "typo: "),
        (f'{_MINIMAL}[slack]\ntoken = "{_CANARY}"\n', "slack.token: "),
        (f'{_MINIMAL}[slack]\nbot_token = "{_CANARY}"\n', "slack.channel: "),
        (f'{_MINIMAL}[slack]\nbot_token = ["{_CANARY}"]\n', "slack.bot_token: "),
        (f'slack = "{_CANARY}"\n{_MINIMAL}', "slack: "),
        (
            f'{_MINIMAL}[slack]\nbot_token = "{_CANARY}"\nchannel = "C1"\n',
            "slack: Value error, Socket Mode needs app_token",
        ),
        (
            f'{_MINIMAL}[slack]\nmode = "http"\nbot_token = "{_CANARY}"\nchannel = "C1"\n',
            "slack: Value error, HTTP mode needs signing_secret",
        ),
        (f'{_MINIMAL}{_SLACK}mode = "webhook"\n', "slack.mode: "),
        (f"{_MINIMAL}{_SLACK}http_port = 70000\n", "slack.http_port: "),
        (f'{_MINIMAL}users = [{{password = "{_CANARY}"}}]\n', "mail_server.0.users.0.address: "),
        ('[[mail_server]]\nname = "UPPER"\n', "mail_server.0.name: "),
        (f"{_MINIMAL}{_MINIMAL}", "two mail servers have the same name"),
        (
            f'{_MINIMAL}[dnsbl]\naddresses = {{ mx9 = ["203.0.113.7"] }}\n',
            "dnsbl.addresses names a mail server that there is none of: mx9",
        ),
        (f"{_MINIMAL}[detection]\npoll_seconds = 0\n", "detection.poll_seconds: "),
        (f"{_MINIMAL}[detection]\nmin_messages = 0\n", "detection.min_messages: "),
        (f'{_MINIMAL}[safety]\ntrusted_networks = ["300.1.1.1"]\n', "safety.trusted_networks.0: "),
        (f'{_MINIMAL}[safety]\nprotected_accounts = ["ann"]\n', "safety.protected_accounts.0: "),
        (f"{_MINIMAL}[safety]\ndeleted_kept_days = 0\n", "safety.deleted_kept_days: "),
        (f'{_MINIMAL}[access]\nadmins = "U1"\n', "access.admins: "),
    ],
)
def test_each_mistake_is_named_by_its_place(tmp_path: Path, text: str, place: str) -> None:
    said = _sentence(tmp_path, text)
    assert said.startswith("The configuration is wrong: ")
    assert place in said


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    said = _sentence(
        tmp_path, f"typo = 1\n{_MINIMAL}[detection]\npoll_seconds = 0\nhabit_days = 'x'\n"
    )
    for place in ("typo: ", "detection.poll_seconds: ", "detection.habit_days: "):
        assert place in said


def test_a_mistake_in_the_environment_is_named_without_the_secret_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOOLWARDEN_SLACK__TYPO", _CANARY)
    assert "slack.typo: " in _sentence(tmp_path, _MINIMAL + _SLACK)


def test_an_environment_value_that_is_no_json_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOOLWARDEN_MAIL_SERVER", f'[{{"password": "{_CANARY}"')
    assert "mail_server" in _sentence(tmp_path, _MINIMAL)


def test_each_kind_of_mail_server_has_its_own_settings(tmp_path: Path) -> None:
    settings = _loaded(
        tmp_path,
        '[[mail_server]]\nname = "a"\n'
        '[[mail_server]]\nkind = "postfix"\nname = "b"\nstate_directory = "/var/lib/x"\n',
    )
    assert [server.kind for server in settings.mail_server] == ["embedded", "postfix"]
    assert "mail_server.0: kind is " in _sentence(tmp_path, '[[mail_server]]\nkind = "exim"\n')
    assert "mail_server.0.domains: " in _sentence(
        tmp_path, '[[mail_server]]\nkind = "postfix"\nstate_directory = "/x"\ndomains = ["x"]\n'
    )


def test_a_role_can_be_for_some_domains_only(tmp_path: Path) -> None:
    settings = _loaded(
        tmp_path,
        f'{_MINIMAL}[access]\noperators = ["U1", "group:S1"]\n'
        '[access.domains]\nU1 = ["Example.com"]\n"group:S1" = ["bücher.example", "b.test"]\n',
    )
    assert settings.access.domains == {
        "U1": ("example.com",),
        "group:S1": ("xn--bcher-kva.example", "b.test"),
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('U2 = ["example.com"]', "domains names 'U2', which is not in viewers, operators or adm"),
        ('u1 = ["example.com"]', "domains names 'u1', which is not in"),
        ("U1 = []", "access.domains.U1: "),
        ('U1 = ["*.example.com"]', "not a domain, such as example.com"),
        ('U1 = ["ann@example.com"]', "not a domain, such as example.com"),
    ],
)
def test_a_limit_that_would_limit_nobody_is_named(tmp_path: Path, line: str, said: str) -> None:
    text = f'{_MINIMAL}[access]\noperators = ["U1"]\n[access.domains]\n{line}\n'
    assert said in _sentence(tmp_path, text)
