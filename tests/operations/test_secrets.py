"""Secrets that stand in files: each way to name one, and what is said when it goes wrong."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.check import check
from bot.finding import Finding
from services.errors import ConfigError
from services.secrets import in_file, read, secret_files, secret_values
from services.settings import Settings, fixed, load

_TOKEN = "xoxb-CANARY-of-a-file"
_CONFIG = """
[[mail_server]]
kind = "smartermail"
name = "sm1"
url = "https://mail.example.test"
username = "bot"
{server}
[[mail_server]]
name = "own"
users = [{{ {user} address = "ann@example.test" }}]
[[mail_server]]
kind = "postfix"
name = "mx1"
state_directory = "/nowhere"
[mail_server.logins]
find = "SELECT 1"
{logins}
[slack]
channel = "C1"
{slack}
"""
_WHERE = {
    "slack.bot_token": "slack",
    "slack.app_token": "slack",
    "mail_server.sm1.password": "server",
    "mail_server.own.users.ann@example.test.password": "user",
    "mail_server.mx1.logins.url": "logins",
}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SPOOLWARDEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def _secret(folder: Path, name: str, text: str = "") -> Path:
    file = folder / name
    file.write_text(text or f"{_TOKEN} {name}\n", "utf-8")
    file.chmod(0o600)
    return file


def _config(folder: Path, places: dict[str, str], top: str = "") -> Path:
    """Write a configuration with a line for each of these secrets."""
    parts = dict.fromkeys(_WHERE.values(), "")
    for place, line in places.items():
        parts[_WHERE[place]] += f"{line}\n" if _WHERE[place] != "user" else f"{line},"
    file = folder / "spoolwarden.toml"
    file.write_text(top + _CONFIG.format(**parts), "utf-8")
    return file


def _all_in_files(folder: Path) -> dict[str, str]:
    return {
        place: f'{in_file(place.rpartition(".")[2])} = "{_secret(folder, place)}"'
        for place in _WHERE
    }


def _said(file: Path) -> str:
    with pytest.raises(ConfigError) as wrong:
        load(file)
    assert _TOKEN not in wrong.value.sentence
    return wrong.value.sentence


def _has_all(settings: Settings) -> None:
    # The last of them is no SecretStr, and its password would be looked for, too.
    assert {f"{_TOKEN} {place}" for place in _WHERE} == secret_values(settings)


def test_every_secret_may_be_named_by_its_file(tmp_path: Path) -> None:
    settings = load(_config(tmp_path, _all_in_files(tmp_path)))
    _has_all(settings)
    assert {file.setting for file in secret_files(settings)} == set(_WHERE)
    assert _TOKEN not in repr(settings) + settings.model_dump_json()


def test_the_environment_names_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = _all_in_files(tmp_path)
    for name in ("bot_token", "app_token"):
        del rest[f"slack.{name}"]
        file = tmp_path / f"slack.{name}"
        monkeypatch.setenv(f"SPOOLWARDEN_SLACK__{name.upper()}_FILE", str(file))
    url = "postgresql://bot:over-there@db.example.test/spoolwarden"
    monkeypatch.setenv("SPOOLWARDEN_DATABASE_FILE", str(_secret(tmp_path, "url", f"{url}\n")))
    settings = load(_config(tmp_path, rest))
    assert settings.database == url
    assert "over-there" in secret_values(settings)
    assert settings.slack is not None
    assert settings.slack.bot_token.get_secret_value() == f"{_TOKEN} slack.bot_token"


@pytest.mark.parametrize("prefix", ["", "spoolwarden_"])
def test_systemd_hands_over_each_secret_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    for place in _WHERE:
        _secret(folder, prefix + place, f"{_TOKEN} {place}\r\n")
    _secret(folder, f"{prefix}database", "sqlite:///other.db")
    _secret(folder, "tls.key", "somebody else's")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    settings = load(_config(tmp_path, {}))
    _has_all(settings)
    assert settings.database == "sqlite:///other.db"


def test_a_credential_for_nothing_that_is_configured_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    _secret(folder, "discord.bot_token")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert "credential discord.bot_token" in _said(_config(tmp_path, _all_in_files(tmp_path)))


def test_values_that_are_given_outright_read_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _secret(tmp_path, "slack.bot_token")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert fixed(mail_server=[{}]).slack is None


@pytest.mark.parametrize("way", ["file", "environment", "credential", "both"])
def test_a_secret_that_is_given_twice_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    places = _all_in_files(tmp_path)
    other = _secret(tmp_path, "other")
    if way == "file":
        places["slack.app_token"] += '\napp_token = "xapp-1"'
    elif way == "environment":
        monkeypatch.setenv("SPOOLWARDEN_SLACK__APP_TOKEN", "xapp-1")
    else:
        folder = tmp_path / "credentials"
        folder.mkdir()
        other.rename(folder / "slack.app_token")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
        if way == "both":
            places["slack.app_token"] = 'app_token = "xapp-1"'
    said = _said(_config(tmp_path, places))
    assert "app_token" in said
    assert "given" in said


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff", "UTF-8")],
)
def test_a_file_that_gives_no_secret_is_a_sentence(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    places = _all_in_files(tmp_path)
    file = tmp_path / "slack.bot_token"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    said = _said(_config(tmp_path, places))
    assert said.startswith("The configuration is wrong: slack: ")
    assert str(file) in said
    assert says in said


def test_what_is_no_path_is_a_sentence_without_what_it_is(tmp_path: Path) -> None:
    said = _said(_config(tmp_path, {"slack.bot_token": f'bot_token_file = ["{_TOKEN}"]'}))
    assert "bot_token_file is not the path of a file" in said


async def test_check_says_which_secret_everybody_may_read(tmp_path: Path) -> None:
    file = _secret(tmp_path, "password")
    settings = fixed(
        database=f"sqlite:///{tmp_path / 'bot.db'}",
        mail_server=[
            {
                "database": tmp_path / "mail.db",
                "port": 0,
                "domains": ["example.test"],
                "users": [{"address": "ann@example.test", "password_file": str(file)}],
            }
        ],
    )

    async def found() -> Finding:
        (finding,) = [looked async for looked in check(settings) if looked.what == "secrets"]
        return finding

    assert (await found()).ok
    file.chmod(0o644)
    told = await found()
    assert not told.ok
    assert f"chmod o-rwx {file}" in told.says
    assert "mail_server.mail.users.ann@example.test.password" in told.says


@given(
    secret=st.text(min_size=1),
    end=st.sampled_from(["", "\n", "\r\n"]),
)
def test_a_secret_is_read_as_it_was_written_but_for_the_end_of_its_line(
    tmp_path_factory: pytest.TempPathFactory, secret: str, end: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "secret"
    try:
        file.write_bytes((secret + end).encode())
    except UnicodeEncodeError:
        return
    kept = secret.rstrip("\r\n")
    if kept:
        assert read(file, "x") == kept
    else:
        with pytest.raises(ValueError, match="is empty"):
            read(file, "x")
