"""Submitting and closing modals: view_submission, its response actions, view_closed."""

from typing import Any

from bot.workspace.checks.grammar import Report, one_of, record
from bot.workspace.checks.layout import elements_of
from bot.workspace.checks.views import check_view
from bot.workspace.envelopes import NotAcknowledged
from bot.workspace.faults import Faults
from bot.workspace.forms import BadValue, FormState, complaint, entered, is_stateful
from bot.workspace.interactions import Interactions, Parts, Refused
from bot.workspace.modals import View
from bot.workspace.values import ApiError, JsonObject

TROUBLE = "We had some trouble connecting. Try again?"


def _anything(value: Any, pointer: str, report: Report) -> None:
    """Accept anything; views and errors are checked by their own rules."""


# "Modals": the response actions of a view_submission.
_ANSWER = record(
    {"response_action": one_of("errors", "update", "push", "clear")},
    {"errors": _anything, "view": _anything},
)


class Submissions:
    """Members' submits and closes."""

    def __init__(self, parts: Parts, interactions: Interactions, faults: Faults) -> None:
        self._parts = parts
        self._faults = faults
        self._interactions = interactions
        self._waiting: set[str] = set()

    async def submit(self, user: str, view_id: str, values: Any) -> dict[str, str]:
        """Submit the member's top view; return errors by block_id, empty when it was taken.

        Raises Refused.
        """
        parts = self._parts
        view = self._interactions.top_view(user, view_id)
        if view.id in self._waiting:
            raise Refused("already_submitting")
        if not view.content.get("submit"):
            raise Refused("no_submit_button")
        form = self._entered(view, values)
        errors = {
            block["block_id"]: text
            for block in view.content["blocks"]
            if block["type"] == "input"
            and (text := complaint(block, form.get(block["block_id"], block["element"])))
        }
        if errors:
            return errors
        view.form = form
        payload = parts.payloads.view_submission(user, view, parts.triggers.issue(user, view.id))
        self._waiting.add(view.id)
        try:
            answer = await parts.dispatcher.deliver("interactive", payload, accepts_payload=True)
        except NotAcknowledged as failure:
            self._interactions.notice(user, TROUBLE)
            raise Refused(failure.code) from None
        finally:
            self._waiting.discard(view.id)
        await self._faults.overtaken()
        return self._act(view, answer)

    async def close(self, user: str, view_id: str) -> None:
        """Close the member's top view, the whole stack with clear_on_close. Raises Refused."""
        parts = self._parts
        view = self._interactions.top_view(user, view_id)
        whole = bool(view.content.get("clear_on_close"))
        closed = parts.modals.close(view, whole_stack=whole)
        for gone in reversed(closed):
            if not gone.content.get("notify_on_close"):
                continue
            payload = parts.payloads.view_closed(user, gone, cleared=whole)
            try:
                await parts.dispatcher.deliver("interactive", payload, accepts_payload=False)
            except NotAcknowledged as failure:
                raise Refused(failure.code) from None

    def _entered(self, view: View, values: Any) -> FormState:
        if not isinstance(values, dict):
            raise Refused("invalid_value")
        elements = {
            (block["block_id"], element["action_id"]): element
            for block in view.content["blocks"]
            for _, element in elements_of(block)
            if is_stateful(element)
        }
        form = view.form.copy()
        for block_id, by_action in values.items():
            if not isinstance(by_action, dict):
                raise Refused("invalid_value")
            for action_id, value in by_action.items():
                element = elements.get((block_id, action_id))
                if element is None:
                    raise Refused("no_such_element")
                try:
                    fields = entered(element, value, self._parts.store.members)
                except BadValue as fault:
                    raise Refused(fault.args[0]) from None
                form.set(block_id, element, fields)
        return form

    def _act(self, view: View, answer: JsonObject) -> dict[str, str]:
        """Do what the acknowledgement says; an empty one closes the view."""
        parts = self._parts
        if not answer:
            parts.modals.close(view)
            return {}
        try:
            errors = self._response_action(view, answer)
        except ApiError as refusal:
            parts.journal.note("ack:view_submission", answer, 200, refusal.answer())
            self._interactions.notice(view.user, TROUBLE)
            raise Refused(refusal.code) from None
        parts.journal.note("ack:view_submission", answer, 200, {"ok": True})
        if errors:
            event = {"type": "view_errors", "view_id": view.id, "errors": errors}
            parts.feed.tell([view.user], event)
        return errors

    def _response_action(self, view: View, answer: JsonObject) -> dict[str, str]:
        modals = self._parts.modals
        report = Report()
        _ANSWER(answer, "", report)
        if report.faults:
            raise ApiError("invalid_arguments", tuple(report.faults))
        action = answer["response_action"]
        if action == "errors":
            return _checked_errors(view, answer.get("errors"))
        if action == "update":
            modals.update(view, check_view(answer.get("view")))
        elif action == "push":
            modals.push(view.user, check_view(answer.get("view")))
        else:
            modals.close(view, whole_stack=True)
        return {}


def _checked_errors(view: View, errors: Any) -> dict[str, str]:
    """Return the errors if each names an input block and says something.

    "Modals": the keys are block_ids of input blocks. Raises ApiError ``invalid_arguments``.
    """
    inputs = {b["block_id"] for b in view.content["blocks"] if b["type"] == "input"}
    if not isinstance(errors, dict) or not errors:
        raise ApiError("invalid_arguments", ("missing required field: errors",))
    for block_id, text in errors.items():
        if block_id not in inputs or not isinstance(text, str) or not text:
            fault = f"not an input block with a text [json-pointer:/errors/{block_id}]"
            raise ApiError("invalid_arguments", (fault,))
    return dict(errors)
