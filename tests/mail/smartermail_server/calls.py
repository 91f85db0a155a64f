"""The calls of the REST API, by the names in the facts on it, over what the server holds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from services.errors import BadArgument
from services.mail.embedded import EmbeddedServer
from services.mail.port import Message, Queue, SpoolQuery

from .build import Build, Faults
from .front import Front
from .smtp_log import SmtpLog
from .state import SYSADMIN, Account, State

Body = Mapping[str, Any]
Answer = dict[str, Any]
SYS, DOMAIN = "settings/sysadmin", "settings/domain"
_SERVICES = ("Smtp", "Imap", "Pop", "Xmpp", "WebMail")


class Trouble(Exception):
    """What is answered with an error. HTTP 200 is “success: false inside HTTP 200”."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def fields(body: Body, needed: Mapping[str, type], **optional: type) -> Body:
    """Check the fields of a body: an unknown one, or one of another type, is HTTP 400."""
    for name, value in body.items():
        kind = needed.get(name) or optional.get(name)
        if kind is None:
            raise Trouble(400, f"UNKNOWN_FIELD {name}")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Trouble(400, f"WRONG_TYPE {name}")
    for name in needed:
        if name not in body:
            raise Trouble(400, f"MISSING_FIELD {name}")
    return body


@dataclass(slots=True)
class Calls:
    """Answers each call. ``scope`` is what the caller's token may: all, or one domain."""

    state: State
    engine: EmbeddedServer
    front: Front
    log: SmtpLog
    build: Build
    faults: Faults
    domain: str

    def table(self) -> dict[str, Callable[[Body, str, str], Awaitable[Answer]]]:
        """Return the calls by name; each gets the body, the rest of its path, the scope."""
        build = self.build
        table: dict[str, Callable[[Body, str, str], Awaitable[Answer]]] = {
            f"{SYS}/{build.rights_by}": self.rights,
            f"{SYS}/spool-message-counts": self.spool_counts,
            f"{SYS}/spool-messages": self.spool_list,
            f"{SYS}/spool-delete-message": self.spool_delete_one,
            f"{SYS}/reset-spool-messages": self.spool_reset,
            f"{SYS}/drop-user-connections": self.drop_user,
            f"{SYS}/kill-user-sessions": self.kill_sessions,
            f"{SYS}/connections": self.connections,
            f"{SYS}/drop-ip-connections": self.drop_ip,
            f"{SYS}/log-files": self.log_files,
            f"{SYS}/ip-access": self.ip_access,
            f"{SYS}/ip-access-delete": self.ip_access_delete,
            f"{SYS}/users-disable": self.users_disable,
            f"{DOMAIN}/account-list-search": self.account_search,
            f"{DOMAIN}/account-list-delete": self.account_delete,
            f"{DOMAIN}/get-user": self.get_user,
            f"{DOMAIN}/get-user-mail": self.get_user_mail,
            f"{DOMAIN}/post-user": self.post_user,
        }
        if build.deletes_many:
            table[f"{SYS}/spool-delete-messages"] = self.spool_delete
        if build.deletes_users_by == "users-delete":
            table[f"{SYS}/users-delete"] = self.users_delete
        return table

    # -- Act as a domain's user --------------------------------------------------------

    async def rights(self, body: Body, rest: str, scope: str) -> Answer:
        fields(body, {})
        if self.build.rights_by == "manage-user":
            if rest not in self.state.accounts:
                raise Trouble(200, "USER_NOT_FOUND")
            return {"accessToken": self.state.token(rest.partition("@")[2])}
        if rest != self.domain:
            raise Trouble(self.build.unknown_domain, "DOMAIN_NOT_FOUND")
        return {"impersonateAccessToken": self.state.token(rest)}

    # -- Spool -------------------------------------------------------------------------

    async def _spool(self) -> dict[str, list[Message]]:
        page = await self.engine.search(SpoolQuery(), limit=1_000_000)
        spools: dict[str, list[Message]] = {"default": [], "waiting": [], "spam": [], "virus": []}
        for message in page.messages:
            if message.queue is Queue.QUARANTINE:
                spools[message.folder or "spam"].append(message)
            else:
                spools["default" if message.queue is Queue.ACTIVE else "waiting"].append(message)
        return spools

    async def spool_counts(self, body: Body, rest: str, scope: str) -> Answer:
        spools = await self._spool()
        limits = {"throttledUsers": 0, "throttledDomains": 0, "spool_limit": 50000}
        return {"counts": {name: len(some) for name, some in spools.items()} | limits}

    async def spool_list(self, body: Body, rest: str, scope: str) -> Answer:
        by = self.build.spool_named_by
        data = []
        for asked in fields(body, {"spoolInput": list})["spoolInput"]:
            wanted = dict(asked)
            if self.build.ignores_filter and wanted.pop("filter", None):
                wanted.setdefault(by, "Pending")
            fields(
                wanted,
                {by: str, "count": int, "startIndex": int},
                search=str,
                ascending=bool,
                sortType=str,
            )
            spools = await self._spool()
            known = {
                "default": spools["default"],
                "waiting": spools["waiting"],
                "quarantine_spam": spools["spam"],
                "quarantine_virus": spools["virus"],
            }
            if by == "spoolName":
                known = {"Pending": spools["default"] + spools["waiting"]}
            if wanted[by] not in known:
                raise Trouble(200, "SPOOL_NOT_FOUND")
            found = known[wanted[by]]
            if not wanted.get("ascending", True):
                found = found[::-1]
            start = wanted["startIndex"]
            page = found[start : start + min(wanted["count"], self.build.most_per_page)]
            data.append({"messages": [self._listed(message) for message in page]})
        return {"spoolListData": data}

    def _listed(self, message: Message) -> Answer:
        name = self.state.file_name(message.queue_id)
        told: Answer = {"fileName": name, "spoolName": "Spool\\SubSpool8"}
        if self.build.spool_tells_more:
            deferred = message.queue is Queue.DEFERRED
            told |= {
                "sender": message.envelope_sender,
                "size": message.size,
                "subject": message.subject,
                "attempts": 1 if deferred else 0,
            }
            if message.last_error:
                told["status"] = message.last_error
        return told

    async def spool_delete_one(self, body: Body, rest: str, scope: str) -> Answer:
        if len(fields(body, {"spoolInput": list})["spoolInput"]) != 1:
            raise Trouble(400, "ONE_MESSAGE")
        return await self.spool_delete(body, rest, scope)

    async def spool_delete(self, body: Body, rest: str, scope: str) -> Answer:
        ids = []
        for named in fields(body, {"spoolInput": list})["spoolInput"]:
            fields(named, {"fileName": str, "spoolName": str})
            if named["spoolName"] != "Spool\\SubSpool8":
                raise Trouble(200, "SPOOL_NOT_FOUND")
            ids.append(self.state.queue_id(named["fileName"]) or "none")
        await self.engine.delete(ids)
        return {}

    async def spool_reset(self, body: Body, rest: str, scope: str) -> Answer:
        # The facts name the call and its fields (B, one well-kept client). That a file it does
        # not know is refused, and all of the call with it, is the strict reading.
        ids = []
        for named in fields(body, {"spoolInput": list})["spoolInput"]:
            fields(named, {"fileName": str, "spoolName": str})
            if named["spoolName"] != "Spool\\SubSpool8":
                raise Trouble(200, "SPOOL_NOT_FOUND")
            ids.append(self.state.queue_id(named["fileName"]) or "none")
        if await self._absent(ids):
            raise Trouble(200, "MESSAGE_NOT_FOUND")
        await self.engine.retry(ids)
        return {}

    async def _absent(self, ids: list[str]) -> bool:
        known = await self.engine.matching_ids(SpoolQuery(), limit=1_000_000)
        return not set(ids) <= set(known)

    # -- Users -------------------------------------------------------------------------

    def _account(self, address: str, scope: str) -> tuple[str, Account]:
        known = address.casefold()
        account = self.state.accounts.get(known)
        if account is None or scope not in (SYSADMIN, known.partition("@")[2]):
            raise Trouble(200, "USER_NOT_FOUND")
        return known, account

    async def account_search(self, body: Body, rest: str, scope: str) -> Answer:
        fields(
            body, {"search": str, "searchFlags": list, "skip": int, "take": int, "sortField": str}
        )
        found = [
            {"userName": address.partition("@")[0], "emailAddress": address, "accountType": 0}
            for address in sorted(self.state.accounts)
            if address.endswith(f"@{scope}") and body["search"] in address
        ]
        skip = body["skip"] if self.build.heeds_skip else 0
        return {"results": found[skip : skip + body["take"]]}

    async def get_user(self, body: Body, rest: str, scope: str) -> Answer:
        address, account = self._account(fields(body, {"email": str})["email"], scope)
        flags = {"isDomainAdmin": account.domain_admin, "authType": 0}
        if self.build.disables_by == "post-user":
            flags["isDisabled"] = account.disabled
        return {"userData": {"userName": address.partition("@")[0], "securityFlags": flags}}

    async def get_user_mail(self, body: Body, rest: str, scope: str) -> Answer:
        _, account = self._account(fields(body, {"email": str})["email"], scope)
        settings = {"canReceiveMail": account.receives, "isEnabled": not account.disabled}
        return {"userMailSettings": settings}

    async def post_user(self, body: Body, rest: str, scope: str) -> Answer:
        fields(body, {"email": str}, userData=dict, userMailSettings=dict)
        address, account = self._account(body["email"], scope)
        data = fields(
            body.get("userData", {}), {}, password=str, securityFlags=dict, isPasswordExpired=bool
        )
        flag = {"isDisabled": bool} if self.build.disables_by == "post-user" else {}
        flags = fields(data.get("securityFlags", {}), {}, isDomainAdmin=bool, authType=int, **flag)
        settings = fields(
            body.get("userMailSettings", {}), {}, canReceiveMail=bool, enableMailForwarding=bool
        )
        if "password" in data:
            if len(data["password"]) < 8:
                raise Trouble(200, "PASSWORD_TOO_SHORT")
            await self.engine.set_password(address, data["password"])
        account.disabled = flags.get("isDisabled", account.disabled)
        account.domain_admin = flags.get("isDomainAdmin", False if flags else account.domain_admin)
        account.receives = settings.get("canReceiveMail", account.receives)
        return {}

    async def users_disable(self, body: Body, rest: str, scope: str) -> Answer:
        disable, _, domain = rest.partition("/")
        if disable not in ("true", "false") or domain != self.domain:
            raise Trouble(400, "WRONG_PATH")
        for address in fields(body, {"input": list})["input"]:
            self._account(address, scope)[1].disabled = disable == "true"
        return {}

    async def users_delete(self, body: Body, rest: str, scope: str) -> Answer:
        if rest != self.domain:
            raise Trouble(200, "DOMAIN_NOT_FOUND")
        return await self.account_delete(body, rest, scope)

    async def account_delete(self, body: Body, rest: str, scope: str) -> Answer:
        for name in fields(body, {"input": list})["input"]:
            address, _ = self._account(f"{name}@{self.domain}", scope)
            try:
                await self.engine.delete_user(address)
            except BadArgument as error:
                raise Trouble(200, "USER_NOT_FOUND") from error
            del self.state.accounts[address]
        return {}

    # -- Connections and sessions --------------------------------------------------------

    async def drop_user(self, body: Body, rest: str, scope: str) -> Answer:
        fields(body, {"email": str, "dropInfo": list})
        for session in list(self.front.sessions):
            if session.user in body["dropInfo"]:
                session.drop()
        return {}

    async def kill_sessions(self, body: Body, rest: str, scope: str) -> Answer:
        for named in fields(body, {"sessions": list})["sessions"]:
            fields(named, {"email": str, "ip": str})
        return {}

    async def connections(self, body: Body, rest: str, scope: str) -> Answer:
        fields(
            body,
            {"serviceTypes": list, "startindex": int, "count": int},
            search=str,
            ascending=bool,
        )
        some = sorted(self.front.sessions, key=lambda session: session.number)
        page = some[body["startindex"] : body["startindex"] + body["count"]]
        return {"connections": [{"ip": s.client, "username": s.user or ""} for s in page]}

    async def drop_ip(self, body: Body, rest: str, scope: str) -> Answer:
        fields(body, {})
        for session in list(self.front.sessions):
            if session.client == rest:
                session.drop()
        return {}

    # -- IP blacklist --------------------------------------------------------------------

    async def ip_access(self, body: Body, rest: str, scope: str) -> Answer:
        if rest == "false":
            return self._blacklist(body)
        if rest:
            raise Trouble(404, "NOT_FOUND")
        fields(
            body,
            {"serviceList": list, "dataType": int, "address": str},
            oldAddress=str,
            description=str,
            spam_bypass=bool,
        )
        try:
            ip_network(body["address"])
        except ValueError:
            raise Trouble(200, "INVALID_ADDRESS") from None
        if body["dataType"] != 1 or not set(body["serviceList"]) <= set(_SERVICES):
            raise Trouble(400, "WRONG_VALUE")
        self.state.blacklist.pop(body.get("oldAddress", ""), None)
        self.state.blacklist[body["address"]] = {
            "ip": body["address"],
            "description": body.get("description", ""),
        } | {
            ("webMail" if name == "WebMail" else name.lower()): name in body["serviceList"]
            for name in _SERVICES
        }
        return {}

    def _blacklist(self, body: Body) -> Answer:
        if self.build.lists_blocks_by == "full":
            fields(body, {"searchParams": dict, "showHoneypot": bool})
            params = fields(
                body["searchParams"],
                {"skip": int, "take": int},
                search=str,
                sortField=str,
                sortDescending=bool,
            )
            start, number = params["skip"], params["take"]
        else:
            params = fields(
                fields(body, {"searchParams": dict})["searchParams"],
                {"Skip": int, "Take": int, "Search": str},
            )
            start, number = params["Skip"], params["Take"]
        listed = [self.state.blacklist[name] for name in sorted(self.state.blacklist)]
        number = min(number, self.build.most_per_page)
        return {"ipAccessList": listed[start : start + number], "totalCount": len(listed)}

    async def ip_access_delete(self, body: Body, rest: str, scope: str) -> Answer:
        if self.build.typed_unblock:
            fields(body, {"address": str, "dataType": int})
        else:
            fields(body, {"address": str})
        if self.state.blacklist.pop(body["address"], None) is None:
            raise Trouble(200, "NOT_FOUND")
        return {}

    # -- Search the logs -----------------------------------------------------------------

    async def log_files(self, body: Body, rest: str, scope: str) -> Answer:
        fields(body, {"start": str, "end": str, "type": str, "search": str, "related": bool})
        try:
            start, end = (datetime.fromisoformat(body[name]) for name in ("start", "end"))
        except ValueError:
            raise Trouble(400, "WRONG_TIME") from None
        if body["type"] != "smtpLog" or body["related"]:
            raise Trouble(200, "LOG_NOT_FOUND")
        text, cut = self.log.search(start, end, body["search"])
        return {"result": text, "isTruncated": cut}
