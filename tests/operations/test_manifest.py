"""The unit, the image and the lock of a server: that they keep what they promise."""

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_UNIT = _ROOT / "manifest" / "spoolwarden.service"
_SUDO = _ROOT / "manifest" / "spoolwarden-sudo.conf"
#: What takes new privileges away by itself (systemd.exec(5), NoNewPrivileges=).
_IMPLY = {
    "DynamicUser",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallLog",
}
_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", re.MULTILINE)
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def _service(file: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(file, "utf-8")
    return dict(parser["Service"])


def _analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a program of this machine on our own files
        ["systemd-analyze", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
    )


def _installed(folder: Path) -> Path:
    """Put the unit where its program is one that this machine has."""
    unit = folder / _UNIT.name
    unit.write_text(
        _UNIT.read_text("utf-8").replace("=/opt/spoolwarden/bin/spoolwarden", "=/bin/true")
    )
    return unit


@needs_systemd
def test_systemd_understands_the_unit_with_and_without_the_drop_in(tmp_path: Path) -> None:
    unit = _installed(tmp_path)
    for _ in range(2):
        found = _analyze(tmp_path, "verify", "--man=no", str(unit))
        assert unit.name not in found.stderr + found.stdout
        assert found.returncode == 0, found.stderr
        drop_in = tmp_path / f"{unit.name}.d"
        drop_in.mkdir(exist_ok=True)
        shutil.copy(_SUDO, drop_in / "sudo.conf")


@needs_systemd
def test_the_unit_leaves_little_open(tmp_path: Path) -> None:
    unit = _installed(tmp_path)
    # The threshold is of tenths: a unit without any hardening has 9.6.
    found = _analyze(tmp_path, "security", "--offline=yes", "--threshold=20", str(unit))
    assert found.returncode == 0, found.stdout[-300:] + found.stderr


def test_the_drop_in_for_sudo_switches_off_all_that_would_keep_sudo_from_working() -> None:
    unit, sudo = _service(_UNIT), _service(_SUDO)
    assert sudo["NoNewPrivileges"] == "no"
    on = {name for name in unit if name in _IMPLY}
    assert len(on) > 10
    for name in on:
        assert sudo[name] in ("", "no"), name


def test_the_unit_is_restarted_when_it_hangs_and_given_the_time_to_stop() -> None:
    unit = _service(_UNIT)
    assert (unit["Type"], unit["Restart"]) == ("notify", "on-failure")
    assert int(unit["WatchdogSec"]) > 0
    # 20 s for acts, 5 s for the chats, 10 s for a locked database.
    assert int(unit["TimeoutStopSec"]) > 35


def test_the_unit_never_gives_up_a_database_or_a_mail_server_that_is_away_for_long() -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.read(_UNIT, "utf-8")
    # With a limit, systemd left it dead after ten tries, which a database that is away for a
    # minute was enough for.
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"
    assert int(parser["Service"]["RestartSec"]) >= 5
    # systemd.service(5): "ready" must be said within 90 s by default, and a mail server that
    # hangs, or steps to newer tables, may take longer.
    assert parser["Service"]["TimeoutStartSec"] == "10min"
    assert "postgresql.service" in parser["Unit"]["After"]


def test_each_database_of_logins_that_the_readme_names_may_be_written_through_sudo() -> None:
    places = set(re.findall(r"(/[a-z/]*/sasldb2)\b", (_ROOT / "README.md").read_text("utf-8")))
    assert places == {"/etc/sasldb2", "/var/spool/postfix/etc/sasldb2"}
    writable = [path.lstrip("-") for path in _service(_SUDO)["ReadWritePaths"].split()]
    for place in places:
        assert any(Path(place).is_relative_to(path) for path in writable), place


def test_the_readme_builds_the_image_in_the_format_that_has_a_health_check() -> None:
    (build,) = re.findall(r"^podman build .*", (_ROOT / "README.md").read_text("utf-8"), re.M)
    # podman-build(1): by default it is OCI's, which has none, and HEALTHCHECK is left out.
    assert "--format docker" in build


def _steps() -> list[tuple[str, str]]:
    """Return the image's instructions and their arguments."""
    text = (_ROOT / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_is_made_of_files_that_are_here_and_does_not_run_as_root() -> None:
    steps = _steps()
    for word, rest in steps:
        if word == "COPY" and not rest.startswith("--from="):
            *sources, _ = rest.split()
            for source in sources:
                assert (_ROOT / source).exists(), source
    last = [word for word, _ in steps].index("FROM", 2)
    (user,) = [rest for word, rest in steps[last:] if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    after = [word for word, _ in steps[steps.index(("USER", user)) :]]
    assert "RUN" not in after
    assert "ENTRYPOINT" in after
    assert "--require-hashes -r requirements-run.lock" in " ".join(
        " ".join(rest.split()) for _, rest in steps
    )


def test_the_images_health_check_asks_what_is_listened_on() -> None:
    steps = _steps()
    (health,) = [rest for word, rest in steps if word == "HEALTHCHECK"]
    (variables,) = [rest for word, rest in steps if word == "ENV"]
    listen = re.search(r"SPOOLWARDEN_OPERATIONS__LISTEN=(\S+)", variables)
    assert listen is not None
    assert f"http://{listen[1]}/healthz" in health


def test_a_server_gets_what_was_tested_and_nothing_that_only_developing_takes() -> None:
    everything = (_ROOT / "requirements.lock").read_text("utf-8")
    server = (_ROOT / "requirements-run.lock").read_text("utf-8")
    tested, run = dict(_PIN.findall(everything)), dict(_PIN.findall(server))
    assert run.items() < tested.items()
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    names = {re.split(r"[\[<>=~! ]", want)[0].lower().replace(".", "-") for want in wanted}
    assert names <= run.keys()
    assert not {"pytest", "mypy", "ruff", "playwright", "hypothesis"} & run.keys()
    for line in server.splitlines():
        assert _HASH.match(line) or _PIN.match(line) or line.lstrip().startswith("#"), line
        assert "://" not in line
