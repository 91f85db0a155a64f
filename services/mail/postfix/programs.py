"""Postfix's own programs, as this package calls them; and the sudoers lines that allow it."""

from collections.abc import Sequence
from pathlib import Path

from services.mail.postfix.config import PostfixConfig

_SASLPASSWD = "/usr/sbin/saslpasswd2"
_SASLLIST = "/usr/sbin/sasldblistusers2"
_ID_ARGUMENT = "[0-9A-Za-z]+"
_LOGIN_ARGUMENT = "[A-Za-z0-9._+-]+"


class Programs:
    """The command line of each thing that is asked of Postfix."""

    def __init__(self, config: PostfixConfig) -> None:
        self._config = config

    def queue(self) -> list[str]:
        """List the queue, one JSON object a line. Needs no rights."""
        return [*self._plain("postqueue"), "-j"]

    def retry(self, queue_id: str) -> list[str]:
        """Have one message that waits tried now. Needs no rights: authorized_flush_users is all.

        postqueue(1): its exit status is 0 whether the message is there or not, and one on
        hold stays there.
        """
        return [*self._plain("postqueue"), "-i", queue_id]

    def act(self, option: str) -> list[str]:
        """Hold (-h), release (-H) or delete (-d) the ids on standard input."""
        return [*self._privileged("postsuper"), option, "-"]

    def envelopes(self, queue_ids: Sequence[str]) -> list[str]:
        """Print the envelopes and headers of these messages."""
        return [*self._privileged("postcat"), "-q", "-e", "-h", *queue_ids]

    def content(self, queue_id: str) -> list[str]:
        """Print one message."""
        return [*self._privileged("postcat"), "-q", "-b", "-h", queue_id]

    def status(self) -> list[str]:
        """Exit with 0 if Postfix runs."""
        return [*self._privileged("postfix"), "status"]

    def settings(self, *names: str) -> list[str]:
        """Print the values of these settings, references resolved, one a line."""
        return [*self._plain("postconf"), "-x", "-h", *names]

    def settings_set(self, *, resolved: bool = True) -> list[str]:
        """Print the settings that main.cf sets, with references resolved or as written."""
        return [*self._plain("postconf"), *["-x"] * resolved, "-n"]

    def services(self) -> list[str]:
        """Print the lines of master.cf."""
        return [*self._plain("postconf"), "-M"]

    def services_set(self, *, resolved: bool = True) -> list[str]:
        """Print the settings that master.cf sets for single services, likewise."""
        return [*self._plain("postconf"), *["-x"] * resolved, "-P"]

    @property
    def postconf(self) -> str:
        """How a person calls postconf for this Postfix."""
        place = self._config.config_directory
        return "postconf" if place == Path("/etc/postfix") else f"postconf -c {place}"

    def lookup(self, table: str) -> list[str]:
        """Print what this table says of the key on standard input; exit with 0 if it knows it."""
        return [*self._plain("postmap"), "-q", "-", table]

    def logins(self) -> list[str]:
        """List the logins of the SASL database."""
        return [*self._config.prefix, _SASLLIST, "-f", str(self._config.sasldb)]

    def password(self, name: str, realm: str) -> list[str]:
        """Set the password on standard input for an existing login."""
        sasldb = str(self._config.sasldb)
        return [*self._config.prefix, _SASLPASSWD, "-p", "-f", sasldb, "-u", realm, "--", name]

    def delete_login(self, name: str, realm: str) -> list[str]:
        """Delete a login."""
        sasldb = str(self._config.sasldb)
        return [*self._config.prefix, _SASLPASSWD, "-d", "-f", sasldb, "-u", realm, "--", name]

    def allowed(self, command: list[str]) -> list[str] | None:
        """Exit with 0 if sudo would run this command, which is not run; None without sudo."""
        prefix = self._config.prefix
        if not prefix or Path(prefix[0]).name != "sudo":
            return None
        return [*prefix, "-l", *command[len(prefix) :]]

    def sudoers(self, user: str) -> str:
        """Return the lines of a sudoers file that allow ``user`` these commands and no others.

        Arguments are matched as regular expressions, which sudo knows since 1.9.10.
        """
        config = self._config
        place = _literal(config.config_directory)
        commands = [
            (self._path("postsuper"), f"-c {place} -[hHd] -"),
            (self._path("postcat"), f"-c {place} -q -e -h( {_ID_ARGUMENT})+"),
            (self._path("postcat"), f"-c {place} -q -b -h {_ID_ARGUMENT}"),
            (self._path("postfix"), f"-c {place} status"),
        ]
        if config.sasldb is not None:
            sasldb = _literal(config.sasldb)
            commands += [
                (_SASLLIST, f"-f {sasldb}"),
                (_SASLPASSWD, f"-[dp] -f {sasldb} -u [A-Za-z0-9.-]+ -- {_LOGIN_ARGUMENT}"),
            ]
        head = (
            "# What Spoolwarden may do as root: /etc/sudoers.d/spoolwarden, mode 0440."  # not shown
        )
        lines = [head]
        lines += [f"{user} ALL=(root) NOPASSWD: {path} ^{rest}$" for path, rest in commands]
        return "\n".join(lines) + "\n"

    def _plain(self, program: str) -> list[str]:
        return [self._path(program), "-c", str(self._config.config_directory)]

    def _privileged(self, program: str) -> list[str]:
        return [*self._config.prefix, *self._plain(program)]

    def _path(self, program: str) -> str:
        return str(self._config.command_directory / program)


def _literal(path: Path) -> str:
    """Return a path as a regular expression; of its characters only the dot is special."""
    return str(path).replace(".", "[.]")
