"""Views: modals and home tabs ("Modals", "View object" and the ``views.*`` method pages)."""

import json
from typing import Any

from bot.workspace.checks.grammar import Report, Rule, boolean, one_of, record, string
from bot.workspace.checks.layout import view_faults
from bot.workspace.checks.objects import plain
from bot.workspace.values import ApiError, JsonObject

VIEW_BYTES = 250_000  # "views.open": view_too_large above 250 kB


def _anything(value: Any, pointer: str, report: Report) -> None:
    """Accept anything; the blocks are checked by their own rules."""


_COMMON: dict[str, Rule] = {
    "private_metadata": string(high=3000),
    "callback_id": string(high=255),
    "external_id": string(high=255),
}
_MODAL = record(
    {"type": one_of("modal"), "title": plain(24), "blocks": _anything},
    {
        **_COMMON,
        "submit": plain(24),
        "close": plain(24),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
)
_HOME = record({"type": one_of("home"), "blocks": _anything}, _COMMON)


def check_view(view: Any, kind: str = "modal", pointer: str = "/view") -> JsonObject:
    """Return ``view`` as a JSON object if Slack would take it.

    Raises ApiError ``invalid_arguments`` with a message per fault, or ``view_too_large``.
    """
    report = Report()
    (_MODAL if kind == "modal" else _HOME)(view, pointer, report)
    if not report.faults:
        report.faults += view_faults(view["blocks"], f"{pointer}/blocks")
    if not report.faults and kind == "modal" and view.get("submit") is None:
        # "Modals": submit is required when an input block is within the blocks array.
        for index, block in enumerate(view["blocks"]):
            if block["type"] == "input":
                report.fault(f"{pointer}/blocks/{index}", "submit is required with input blocks")
                break
    if report.faults:
        raise ApiError("invalid_arguments", tuple(report.faults))
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise ApiError("view_too_large")
    checked: JsonObject = {k: v for k, v in view.items() if v is not None}
    return checked
