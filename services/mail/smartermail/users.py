"""Mailboxes: what they may do, their passwords, their open sessions, and deleting them.

Seen in public clients (A: two agree, B: one well kept, C: one). With a domain's rights:

- POST settings/domain/account-list-search {search, searchFlags, skip, take, sortField}
  → results [{userName, emailAddress, …}] (B)
- POST settings/domain/get-user {email} → userData {securityFlags {isDisabled, …}} (B)
- POST settings/domain/get-user-mail {email} → userMailSettings {canReceiveMail, …} (B)
- POST settings/domain/post-user {email, userData, userMailSettings} (A)
- POST settings/domain/account-list-delete {input: [name]} (B)

With a system administrator's:

- POST settings/sysadmin/users-disable/true or false/DOMAIN {input: [address]} (B)
- POST settings/sysadmin/users-delete/DOMAIN {input: [name]} (B)
- POST settings/sysadmin/drop-user-connections {email, dropInfo: [address]} (B)
- POST settings/sysadmin/kill-user-sessions {sessions: [{email, ip}]} (B)

That isDisabled with canReceiveMail is “cannot send, still receives” follows from the two
names. It is not taken on trust: after each change both are read back.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.errors import BadArgument, ServerDown
from services.language import later, tr
from services.mail.embedded.address import parse_path
from services.mail.port import User, UserState
from services.mail.smartermail import answers
from services.mail.smartermail.answers import Fields
from services.mail.smartermail.api import Api
from services.mail.smartermail.ways import suppress_nothing_there

_DOMAIN = "settings/domain"
_SYSADMIN = "settings/sysadmin"
#: What is done with a user, and what it may do then.
_SETTING = {
    UserState.ACTIVE: later("set {address} to active"),
    UserState.NO_SENDING: later("set {address} to no-sending"),
    UserState.REFUSING: later("set {address} to refusing"),
}
_OTHER = {
    UserState.ACTIVE: later("the change was taken, but the user is active"),
    UserState.NO_SENDING: later("the change was taken, but the user is no-sending"),
    UserState.REFUSING: later("the change was taken, but the user is refusing"),
}
#: What is so, where a user's sessions could not be ended.
_STOPPED = later(
    "{address} is no-sending now, but its open sessions go on. {why} Do it again, or drop them in "
    "SmarterMail, under Manage › User Activity."
)
_REFUSING = later(
    "{address} is refusing now, but its open sessions go on. {why} Do it again, or drop them in "
    "SmarterMail, under Manage › User Activity."
)
_NEW_PASSWORD = later(
    "{address} has the new password, but its open sessions go on. {why} Do it again, or drop them "
    "in SmarterMail, under Manage › User Activity."
)
_DELETED = later(
    "{address} is deleted, but its open sessions go on. {why} Do it again, or drop them in "
    "SmarterMail, under Manage › User Activity."
)
_NOT_ENDED = later(
    "Not all sessions of {address} were ended. {why} Do it again, or drop them in SmarterMail, "
    "under Manage › User Activity."
)


class Users:
    """The mailboxes of one server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def user(self, address: str) -> User | None:
        """Return one mailbox, None if there is none."""
        known = await self._known(address)
        if known is None:
            return None
        state, _ = await self._state(known)
        return User(known, state)

    async def set_state(self, address: str, state: UserState) -> UserState:
        """Set what a mailbox may do and return what it might before. Raises BadArgument.

        What is open as this user ends: a disabled user's sessions go on otherwise.
        """
        known = await self._existing(address)
        before, flags = await self._state(known)
        if before is not state:
            await self._write_state(known, state, flags)
        if state is not UserState.ACTIVE:
            await self._drop(known, _REFUSING if state is UserState.REFUSING else _STOPPED)
        return before

    async def set_password(self, address: str, password: str) -> None:
        """Change a password and end what was opened with the old one. Raises BadArgument."""
        if not password:
            raise BadArgument(tr("A password cannot be empty."))
        known = await self._existing(address)
        await self._api.post(
            f"{_DOMAIN}/post-user",
            {"email": known, "userData": {"password": password}},
            doing=tr("change the password of {address}", address=known),
            acting=True,
            about=known,
        )
        await self._drop(known, _NEW_PASSWORD)

    async def delete(self, address: str) -> None:
        """Delete a mailbox with its mail, and end its sessions. Raises BadArgument."""
        known = await self._existing(address)
        name, _, domain = known.rpartition("@")
        doing = tr("delete {address}", address=known)
        body = {"input": [name]}
        await self._api.ways.first(
            "deleting a user",  # not shown
            [
                (
                    "users-delete",
                    lambda: self._api.post(
                        f"{_SYSADMIN}/users-delete/{quote(domain, safe='')}",
                        body,
                        doing=doing,
                        acting=True,
                    ),
                ),
                (
                    "account-list-delete",
                    lambda: self._api.post(
                        f"{_DOMAIN}/account-list-delete",
                        body,
                        doing=doing,
                        acting=True,
                        about=known,
                    ),
                ),
            ],
        )
        if await self._known(address) is not None:
            raise self._api.failure(
                doing,
                tr("it took the call, but the user is there"),
                tr("Delete it in SmarterMail."),
            )
        await self._drop(known, _DELETED)

    async def end_sessions(self, address: str) -> None:
        """End everything that is open as a user. Raises BadArgument if there is none."""
        known = await self._existing(address)
        await self._drop(known, _NOT_ENDED)

    # -- inside ----------------------------------------------------------------------

    async def _existing(self, address: str) -> str:
        known = await self._known(address)
        if known is None:
            raise BadArgument(tr("There is no mailbox {address} on this server.", address=address))
        return known

    async def _known(self, address: str) -> str | None:
        """Return the address of a mailbox as the server has it, in lower case."""
        wanted = address.casefold()
        parsed = parse_path(wanted)
        name, at, domain = wanted.rpartition("@")
        if not at or parsed is None or parsed[0] != wanted:
            return None
        body = {
            "search": name,
            "searchFlags": ["users"],
            "skip": 0,
            "take": 100,
            "sortField": "userName",
        }
        doing = tr("look up {address}", address=wanted)
        if not await self._api.serves(wanted):
            return None
        seen: set[str | None] = set()
        while True:
            answer = await self._api.post(
                f"{_DOMAIN}/account-list-search", body, doing=doing, about=wanted
            )
            found = answers.items(answer, "results", "accounts")
            if found is None:
                raise self._api.failure(
                    doing,
                    tr("its answer holds no accounts"),
                    tr("Nothing was done; try again."),
                )
            for fields in found:
                if (answers.text(fields, "userName") or "").casefold() in (name, wanted) or (
                    answers.text(fields, "emailAddress") or ""
                ).casefold() == wanted:
                    return f"{name}@{domain}"
            names = {answers.text(fields, "userName", "emailAddress") for fields in found}
            if len(found) < 2 or names <= seen:  # a build that heeds no skip gives the same again
                return None
            seen |= names
            body = {**body, "skip": int(str(body["skip"])) + len(found)}

    async def _state(self, known: str) -> tuple[UserState, Fields]:
        """Return what a mailbox may do, and all its security flags."""
        doing = tr("read what {address} may do", address=known)
        body = {"email": known}
        user = await self._api.post(f"{_DOMAIN}/get-user", body, doing=doing, about=known)
        mail = await self._api.post(f"{_DOMAIN}/get-user-mail", body, doing=doing, about=known)
        flags = answers.inner(answers.inner(user, "userData"), "securityFlags")
        settings = answers.inner(mail, "userMailSettings")
        disabled = answers.flag(flags, "isDisabled")
        receives = answers.flag(settings, "canReceiveMail")
        if disabled is None:  # builds that say it with the mailbox only
            enabled = answers.flag(settings, "isEnabled")
            disabled = None if enabled is None else not enabled
        if disabled is None or receives is None:
            raise self._api.failure(
                doing,
                tr("its answer does not say it"),
                tr("Nothing was done; look in SmarterMail."),
            )
        if not disabled:
            return UserState.ACTIVE, flags
        return (UserState.NO_SENDING if receives else UserState.REFUSING), flags

    async def _write_state(self, known: str, state: UserState, flags: Fields) -> None:
        disabled = state is not UserState.ACTIVE
        doing = tr(_SETTING[state], address=known)
        settings = {"canReceiveMail": state is not UserState.REFUSING}
        domain = quote(known.rpartition("@")[2], safe="")

        async def put(data: Mapping[str, Any]) -> None:
            await self._api.post(
                f"{_DOMAIN}/post-user",
                {"email": known, **data, "userMailSettings": settings},
                doing=doing,
                acting=True,
                about=known,
            )

        async def look() -> None:
            after, _ = await self._state(known)
            if after is not state:
                # As good as a call it does not know: another may be the right one.
                raise self._api.refusal(doing, 400, tr(_OTHER[after]))

        async def by_flags() -> None:
            # The other flags go along as they are: a domain's administrator stays one.
            await put({"userData": {"securityFlags": {**flags, "isDisabled": disabled}}})
            await look()

        async def by_list() -> None:
            await put({})
            await self._api.post(
                f"{_SYSADMIN}/users-disable/{str(disabled).lower()}/{domain}",
                {"input": [known]},
                doing=doing,
                acting=True,
            )
            await look()

        await self._api.ways.first(
            "disabling a user",  # not shown
            [("post-user", by_flags), ("users-disable", by_list)],
        )

    async def _drop(self, known: str, otherwise: str) -> None:
        """End everything that is open as this user: connections first, then web sessions."""
        doing = tr("end the sessions of {address}", address=known)
        calls: dict[str, dict[str, Any]] = {
            "drop-user-connections": {"email": known, "dropInfo": [known]},
            "kill-user-sessions": {"sessions": [{"email": known, "ip": ""}]},
        }
        try:
            for name, body in calls.items():
                with suppress_nothing_there():
                    await self._api.post(f"{_SYSADMIN}/{name}", body, doing=doing, acting=True)
        except ServerDown as error:
            raise ServerDown(tr(otherwise, address=known, why=error)) from error
