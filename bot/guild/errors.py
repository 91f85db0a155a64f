"""The error answers, as the "Opcodes and Status Codes" page lists them under JSON error codes."""

from bot.guild.values import ApiError
from bot.local.values import JsonObject


def invalid_form(errors: JsonObject) -> ApiError:
    """Return "Invalid Form Body" with what is wrong, by field."""
    return ApiError(400, 50035, "Invalid Form Body", errors)


def unauthorized() -> ApiError:
    """Return the answer to a missing or wrong token."""
    return ApiError(401, 0, "401: Unauthorized")


def no_such_route() -> ApiError:
    """Return the answer to a path that isn't there."""
    return ApiError(404, 0, "404: Not Found")


def method_not_allowed() -> ApiError:
    """Return the answer to a method that the path doesn't take."""
    return ApiError(405, 0, "405: Method Not Allowed")


def unknown_channel() -> ApiError:
    """Return "Unknown Channel"."""
    return ApiError(404, 10003, "Unknown Channel")


def unknown_guild() -> ApiError:
    """Return "Unknown Guild"."""
    return ApiError(404, 10004, "Unknown Guild")


def unknown_member() -> ApiError:
    """Return "Unknown Member"."""
    return ApiError(404, 10007, "Unknown Member")


def unknown_message() -> ApiError:
    """Return "Unknown Message"."""
    return ApiError(404, 10008, "Unknown Message")


def unknown_webhook() -> ApiError:
    """Return "Unknown Webhook"."""
    return ApiError(404, 10015, "Unknown Webhook")


def unknown_interaction() -> ApiError:
    """Return "Unknown interaction"."""
    return ApiError(404, 10062, "Unknown interaction")


def unknown_command() -> ApiError:
    """Return "Unknown application command"."""
    return ApiError(404, 10063, "Unknown application command")


def already_acknowledged() -> ApiError:
    """Return "Interaction has already been acknowledged"."""
    return ApiError(400, 40060, "Interaction has already been acknowledged.")


def missing_access() -> ApiError:
    """Return "Missing Access"."""
    return ApiError(403, 50001, "Missing Access")


def not_the_author() -> ApiError:
    """Return "Cannot edit a message authored by another user"."""
    return ApiError(403, 50005, "Cannot edit a message authored by another user")


def empty_message() -> ApiError:
    """Return "Cannot send an empty message"."""
    return ApiError(400, 50006, "Cannot send an empty message")


def missing_permissions() -> ApiError:
    """Return "Missing Permissions"."""
    return ApiError(403, 50013, "Missing Permissions")


def invalid_webhook_token() -> ApiError:
    """Return "Invalid Webhook Token"."""
    return ApiError(401, 50027, "Invalid Webhook Token")


def wrong_channel_type() -> ApiError:
    """Return "Cannot execute action on this channel type"."""
    return ApiError(400, 50024, "Cannot execute action on this channel type")


def invalid_json() -> ApiError:
    """Return "The request body contains invalid JSON"."""
    return ApiError(400, 50109, "The request body contains invalid JSON.")


def thread_archived() -> ApiError:
    """Return "Thread is archived"."""
    return ApiError(400, 50083, "Thread is archived")


def cannot_reply() -> ApiError:
    """Return "Cannot reply without permission to read message history"."""
    return ApiError(403, 160002, "Cannot reply without permission to read message history")


def thread_exists() -> ApiError:
    """Return "A thread has already been created for this message"."""
    return ApiError(400, 160004, "A thread has already been created for this message")


def thread_locked() -> ApiError:
    """Return "Thread is locked"."""
    return ApiError(400, 160005, "Thread is locked")


def too_large() -> ApiError:
    """Return "Request entity too large"."""
    return ApiError(413, 40005, "Request entity too large")


def too_many_pins() -> ApiError:
    """Return "Maximum number of pins reached for the channel (250)"."""
    return ApiError(400, 30003, "Maximum number of pins reached for the channel (250)")


def cannot_act_on_system_message() -> ApiError:
    """Return "Cannot execute action on a system message"."""
    return ApiError(403, 50021, "Cannot execute action on a system message")


def too_many_old_edits(wait: float) -> ApiError:
    """Return "Maximum number of edits to messages older than 1 hour reached", with the wait."""
    message = "Maximum number of edits to messages older than 1 hour reached. Try again later"
    return ApiError(429, 30046, message, retry_after=wait)


def harmful() -> ApiError:
    """Return "Message blocked by harmful links filter"."""
    return ApiError(400, 240000, "Message blocked by harmful links filter")
