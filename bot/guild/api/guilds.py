"""The guild, its roles and members, the app itself and the gateway's address."""

from collections.abc import Callable
from typing import Any

from bot.guild import errors
from bot.guild.api.access import Access
from bot.guild.forms import LOCALE
from bot.guild.gateway import SESSIONS_A_DAY
from bot.guild.permissions import Permission
from bot.guild.values import Answer, Request


class Guilds:
    """Answers who and what there is."""

    def __init__(
        self, access: Access, gateway_url: Callable[[], str], identifies: Callable[[], int]
    ) -> None:
        self._access = access
        self._store = access.store
        self._forms = access.forms
        self._gateway_url = gateway_url
        self._identifies = identifies

    async def guild(self, request: Request) -> Answer:
        """Serve "Get Guild"."""
        self._access.guild(request)
        form = self._forms.guild()
        if request.flag("with_counts"):
            people = len(self._store.members) + 1
            form |= {"approximate_member_count": people, "approximate_presence_count": people}
        return Answer(200, form)

    async def roles(self, request: Request) -> Answer:
        """Serve "Get Guild Roles"."""
        self._access.guild(request)
        return Answer(200, [self._forms.role(r) for r in self._store.roles.values()])

    async def channels(self, request: Request) -> Answer:
        """Serve "Get Guild Channels": those the bot sees, threads left out."""
        self._access.guild(request)
        found = [
            self._forms.channel(c)
            for c in self._store.channels.values()
            if not c.is_thread and self._access.may(c, Permission.VIEW_CHANNEL)
        ]
        return Answer(200, found)

    async def member(self, request: Request) -> Answer:
        """Serve "Get Guild Member"."""
        self._access.guild(request)
        user = request.parameters["user_id"]
        if user not in self._store.members and user != self._store.identity.application_id:
            raise errors.unknown_member()
        return Answer(200, self._forms.member(user))

    async def active_threads(self, request: Request) -> Answer:
        """Serve "List Active Guild Threads", newest first."""
        self._access.guild(request)
        threads = [
            t
            for t in reversed(self._store.threads())
            if not t.archived and self._access.may(t, Permission.VIEW_CHANNEL)
        ]
        bot = self._store.identity.application_id
        return Answer(
            200,
            {
                "threads": [self._forms.channel(t) for t in threads],
                "members": [self._forms.thread_member(t) for t in threads if bot in t.members],
                "has_more": False,
            },
        )

    async def me(self, request: Request) -> Answer:
        """Serve "Get Current User"."""
        about = {
            "mfa_enabled": False,
            "locale": LOCALE,
            "premium_type": 0,
            "email": None,
            "verified": True,
            "bio": "",
        }
        return Answer(200, self._forms.bot() | about)

    async def application(self, request: Request) -> Answer:
        """Serve "Get Current Application" and the OAuth2 page's same."""
        identity = self._store.identity
        owner: dict[str, Any] = {
            "id": identity.owner_id,
            "username": "owner",
            "global_name": None,
            "discriminator": "0",
            "avatar": None,
            "public_flags": 0,
            "flags": 0,
            "primary_guild": None,
        }
        return Answer(
            200,
            {
                "id": identity.application_id,
                "name": identity.app_name,
                "icon": None,
                "description": "",
                "type": None,
                "bot": self._forms.bot(),
                "bot_public": False,
                "bot_require_code_grant": False,
                "verify_key": "0" * 64,
                "flags": 0,
                "flags_new": "0",
                "redirect_uris": [],
                "interactions_endpoint_url": self._store.interactions_url,
                "role_connections_verification_url": None,
                "owner": owner,
                "approximate_guild_count": 1,
                "approximate_user_install_count": 0,
                "approximate_user_authorization_count": 0,
                "explicit_content_filter": 0,
                "team": None,
                "eligible_oauth2_scopes": [],
                "rpc_origins": [],
                "tags": [],
            },
        )

    async def gateway(self, request: Request) -> Answer:
        """Serve "Get Gateway"."""
        return Answer(200, {"url": self._gateway_url()})

    async def gateway_bot(self, request: Request) -> Answer:
        """Serve "Get Gateway Bot"."""
        limit = {
            "total": SESSIONS_A_DAY,
            "remaining": max(0, SESSIONS_A_DAY - self._identifies()),
            "reset_after": 86_400_000,
            "max_concurrency": 1,
        }
        return Answer(200, {"url": self._gateway_url(), "shards": 1, "session_start_limit": limit})
