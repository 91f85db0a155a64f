"""``views.*``, by the methods' pages."""

from bot.workspace.api.method import JSON, STRING, Arguments, Context, Method, required
from bot.workspace.checks.views import check_view
from bot.workspace.limits import TIER_4
from bot.workspace.values import ApiError, JsonObject


def _checked(c: Context, a: Arguments) -> JsonObject:
    content = check_view(a.raw("view"))
    c.store.check_pictures(content["blocks"], view=True)
    return content


def open_(c: Context, a: Arguments) -> JsonObject:
    """Serve views.open. A refused view leaves the trigger unspent."""
    trigger = c.triggers.check(a.text("trigger_id"))
    content = _checked(c, a)
    view = c.modals.open(trigger.user, content)
    trigger.spent = True
    return {"ok": True, "view": c.modals.slack_form(view)}


def push(c: Context, a: Arguments) -> JsonObject:
    """Serve views.push; the trigger must come from within the modal."""
    trigger = c.triggers.check(a.text("trigger_id"))
    content = _checked(c, a)
    if trigger.view_id is None:
        raise ApiError("not_found")
    view = c.modals.push(trigger.user, content)
    trigger.spent = True
    return {"ok": True, "view": c.modals.slack_form(view)}


def update(c: Context, a: Arguments) -> JsonObject:
    """Serve views.update."""
    view_id, external_id = a.text_or_none("view_id"), a.text_or_none("external_id")
    if not view_id and not external_id:
        fault = "missing required field: view_id or external_id [json-pointer:/view_id]"
        raise ApiError("invalid_arguments", (fault,))
    content = _checked(c, a)
    view = c.modals.find(view_id=view_id or None, external_id=external_id)
    c.modals.update(view, content, a.text_or_none("hash"))
    return {"ok": True, "view": c.modals.slack_form(view)}


def publish(c: Context, a: Arguments) -> JsonObject:
    """Serve views.publish."""
    user = a.text("user_id")
    if user not in c.store.members:
        raise ApiError("user_not_found")
    content = check_view(a.raw("view"), kind="home")
    c.store.check_pictures(content["blocks"], view=True)
    view = c.modals.publish(user, content, a.text_or_none("hash"))
    return {"ok": True, "view": c.modals.slack_form(view)}


_TRIGGERED = {"trigger_id": required(STRING), "view": required(JSON)}

METHODS = (
    Method("views.open", open_, TIER_4, _TRIGGERED),
    Method("views.push", push, TIER_4, _TRIGGERED),
    Method(
        "views.update",
        update,
        TIER_4,
        {"view": required(JSON), "view_id": STRING, "external_id": STRING, "hash": STRING},
    ),
    Method(
        "views.publish",
        publish,
        TIER_4,
        {"user_id": required(STRING), "view": required(JSON), "hash": STRING},
    ),
)
