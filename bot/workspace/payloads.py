"""The payloads an app gets, in the shapes of the interaction payload reference pages."""

from collections.abc import Callable

from bot.workspace.modals import Modals, View
from bot.workspace.store import Channel, Message, Store
from bot.workspace.tickets import Hook
from bot.workspace.values import JsonObject, SlashCommand


class Payloads:
    """Builds payloads. ``hook_url`` turns a hook into its public URL."""

    def __init__(
        self,
        store: Store,
        modals: Modals,
        verification_token: str,
        hook_url: Callable[[Hook, str], str],
    ) -> None:
        self._store = store
        self._modals = modals
        self._token = verification_token
        self._hook_url = hook_url

    def slash_command(
        self,
        user: str,
        channel: Channel,
        command: SlashCommand,
        text: str,
        trigger_id: str,
        hook: Hook,
    ) -> JsonObject:
        """Return a slash command's payload ("Implementing slash commands")."""
        identity = self._store.identity
        return {
            "token": self._token,
            "team_id": identity.team_id,
            "team_domain": identity.team_domain,
            "channel_id": channel.id,
            "channel_name": channel.name,
            "user_id": user,
            "user_name": self._store.members[user].name,
            "command": command.command,
            "text": text,
            "api_app_id": identity.app_id,
            "is_enterprise_install": "false",
            "response_url": self._hook_url(hook, "commands"),
            "trigger_id": trigger_id,
        }

    def _common(self, kind: str, user: str, trigger_id: str | None) -> JsonObject:
        identity = self._store.identity
        name = self._store.members[user].name
        common: JsonObject = {
            "type": kind,
            "user": {"id": user, "username": name, "name": name, "team_id": identity.team_id},
            "api_app_id": identity.app_id,
            "token": self._token,
            "team": {"id": identity.team_id, "domain": identity.team_domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }
        if trigger_id is not None:
            common["trigger_id"] = trigger_id
        return common

    def message_actions(
        self,
        user: str,
        message: Message,
        action: JsonObject,
        state: JsonObject,
        trigger_id: str,
        hook: Hook,
    ) -> JsonObject:
        """Return a block_actions payload for a message; an ephemeral's content isn't in it."""
        channel = self._store.channels[message.channel]
        container: JsonObject = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": message.only_for is not None,
        }
        if message.thread_ts is not None:
            container["thread_ts"] = message.thread_ts
        payload = self._common("block_actions", user, trigger_id)
        payload |= {
            "container": container,
            "channel": {"id": channel.id, "name": channel.name},
            "state": {"values": state},
            "response_url": self._hook_url(hook, "actions"),
            "actions": [action],
        }
        if message.only_for is None:
            payload["message"] = self._store.slack_form(message, with_metadata=True)
        return payload

    def view_actions(
        self, user: str, view: View, action: JsonObject, trigger_id: str
    ) -> JsonObject:
        """Return a block_actions payload for a view."""
        payload = self._common("block_actions", user, trigger_id)
        payload |= {
            "container": {"type": "view", "view_id": view.id},
            "view": self._modals.slack_form(view),
            "actions": [action],
        }
        return payload

    def view_submission(self, user: str, view: View, trigger_id: str) -> JsonObject:
        """Return a view_submission payload."""
        payload = self._common("view_submission", user, trigger_id)
        return payload | {"view": self._modals.slack_form(view), "response_urls": []}

    def view_closed(self, user: str, view: View, *, cleared: bool) -> JsonObject:
        """Return a view_closed payload."""
        payload = self._common("view_closed", user, None)
        return payload | {"view": self._modals.slack_form(view), "is_cleared": cleared}

    def event(self, event: JsonObject, event_id: str, at: float) -> JsonObject:
        """Return an Events API callback. ``at`` is seconds since the Unix epoch."""
        identity = self._store.identity
        return {
            "token": self._token,
            "team_id": identity.team_id,
            "api_app_id": identity.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": event_id,
            "event_time": int(at),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": identity.team_id,
                    "user_id": identity.bot_user,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
        }
