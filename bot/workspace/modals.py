"""Modals: each member's stack of at most three views, and home tabs."""

import copy
import hashlib
from dataclasses import dataclass, field
from typing import Any

from bot.local.clock import Clock
from bot.local.feed import Feed
from bot.workspace.forms import FormState
from bot.workspace.ids import new_id
from bot.workspace.store import with_ids
from bot.workspace.values import ApiError, AppIdentity, JsonObject

STACK_LIMIT = 3  # "views.push": push_limit_reached, "currently the limit is 3"


@dataclass(slots=True)
class View:
    """An opened view: what the app sent, and what the workspace adds to it."""

    id: str
    user: str
    content: JsonObject
    root_id: str
    previous_id: str | None
    hash: str = ""
    form: FormState = field(default_factory=FormState)

    @property
    def external_id(self) -> str:
        """The app's own id of the view, "" for none."""
        value: str = self.content.get("external_id") or ""
        return value


class Modals:
    """Opens, updates, pushes and closes views, and tells the member's clients."""

    def __init__(self, identity: AppIdentity, clock: Clock, feed: Feed) -> None:
        self._identity = identity
        self._clock = clock
        self._feed = feed
        self._stacks: dict[str, list[View]] = {}
        self._homes: dict[str, View] = {}

    def top(self, user: str) -> View | None:
        """Return the view a member sees."""
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def stack(self, user: str) -> tuple[View, ...]:
        """Return a member's views, the root first."""
        return tuple(self._stacks.get(user, ()))

    def find(self, *, view_id: str | None = None, external_id: str | None = None) -> View:
        """Return an open view by either id. Raises ApiError ``not_found``."""
        for stack in (*self._stacks.values(), self._homes.values()):
            for view in stack:
                if view_id is not None and view.id == view_id:
                    return view
                if external_id and view.external_id == external_id:
                    return view
        raise ApiError("not_found")

    def open(self, user: str, content: JsonObject) -> View:
        """Open a modal; one already open gives way to it."""
        self._refuse_known_external_id(content, replaced=self.stack(user))
        view = self._make(user, content, root_id=None, previous_id=None)
        self._stacks[user] = [view]
        self.tell(user)
        return view

    def push(self, user: str, content: JsonObject) -> View:
        """Push a view onto a member's stack.

        Raises ApiError ``not_found`` with no modal open, ``push_limit_reached`` with three.
        """
        stack = self._stacks.get(user)
        if not stack:
            raise ApiError("not_found")
        if len(stack) >= STACK_LIMIT:
            raise ApiError("push_limit_reached")
        self._refuse_known_external_id(content)
        view = self._make(user, content, root_id=stack[0].id, previous_id=stack[-1].id)
        stack.append(view)
        self.tell(user)
        return view

    def update(self, view: View, content: JsonObject, expected_hash: str | None = None) -> None:
        """Replace a view's content. Raises ApiError ``hash_conflict``."""
        if expected_hash is not None and expected_hash != view.hash:
            raise ApiError("hash_conflict")
        self._refuse_known_external_id(content, replaced=(view,))
        self._fill(view, content)
        self.tell(view.user)

    def publish(self, user: str, content: JsonObject, expected_hash: str | None) -> View:
        """Set a member's home tab. Raises ApiError ``hash_conflict``."""
        present = self._homes.get(user)
        if expected_hash is not None and (present is None or present.hash != expected_hash):
            raise ApiError("hash_conflict")
        view = present or self._make(user, content, root_id=None, previous_id=None)
        self._fill(view, content)
        self._homes[user] = view
        self._feed.tell([user], {"type": "home", "view": self.home_form(user)})
        return view

    def home(self, user: str) -> View | None:
        """Return what was published as a member's Home, if anything was."""
        return self._homes.get(user)

    def home_form(self, user: str) -> JsonObject | None:
        """Return a member's Home as the member API gives it."""
        view = self.home(user)
        if view is None:
            return None
        return {**copy.deepcopy(view.content), "id": view.id, "hash": view.hash, "depth": 0}

    def close(self, view: View, *, whole_stack: bool = False) -> tuple[View, ...]:
        """Close a view, those above it, and with ``whole_stack`` those below; return them."""
        stack = self._stacks.get(view.user, [])
        if view not in stack:
            return ()
        cut = 0 if whole_stack else stack.index(view)
        closed = tuple(stack[cut:])
        del stack[cut:]
        self.tell(view.user)
        return closed

    def tell(self, user: str) -> None:
        """Tell a member's clients which view they see now."""
        self._feed.tell([user], {"type": "view", "view": self.member_form(user)})

    def member_form(self, user: str) -> JsonObject | None:
        """Return the top view as the member API gives it."""
        view = self.top(user)
        if view is None:
            return None
        return {
            **copy.deepcopy(view.content),
            "id": view.id,
            "hash": view.hash,
            "depth": len(self._stacks[user]),
        }

    def slack_form(self, view: View) -> JsonObject:
        """Return a view as the Web API and the interaction payloads give it."""
        content = copy.deepcopy(view.content)
        form: JsonObject = {
            "id": view.id,
            "team_id": self._identity.team_id,
            "type": content["type"],
            "blocks": content["blocks"],
            "private_metadata": content.get("private_metadata", ""),
            "callback_id": content.get("callback_id", ""),
            "state": {"values": view.form.values()},
            "hash": view.hash,
            "clear_on_close": content.get("clear_on_close", False),
            "notify_on_close": content.get("notify_on_close", False),
            "previous_view_id": view.previous_id,
            "root_view_id": view.root_id,
            "app_id": self._identity.app_id,
            "external_id": view.external_id,
            "app_installed_team_id": self._identity.team_id,
            "bot_id": self._identity.bot_id,
        }
        if content["type"] == "modal":
            form |= {name: content.get(name) for name in ("title", "submit", "close")}
        return form

    def _make(
        self, user: str, content: JsonObject, *, root_id: str | None, previous_id: str | None
    ) -> View:
        view_id = new_id("V")
        view = View(view_id, user, {}, root_id or view_id, previous_id)
        self._fill(view, content)
        return view

    def _fill(self, view: View, content: JsonObject) -> None:
        filled: dict[str, Any] = copy.deepcopy(content)
        filled["blocks"] = with_ids(filled["blocks"])
        kept = view.form
        view.content = filled
        # "Modals": input stays when an updated view keeps the block_id and action_id.
        view.form = FormState.of(filled["blocks"], kept)
        digest = hashlib.sha256(f"{view.id}{view.hash}".encode()).hexdigest()[:8]
        view.hash = f"{self._clock.time():.0f}.{digest}"

    def _refuse_known_external_id(
        self, content: JsonObject, replaced: tuple[View, ...] = ()
    ) -> None:
        wanted = content.get("external_id")
        if not wanted:
            return
        for stack in self._stacks.values():
            for view in stack:
                if view.external_id == wanted and view not in replaced:
                    raise ApiError("duplicate_external_id")
