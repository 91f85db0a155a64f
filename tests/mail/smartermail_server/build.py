"""What can differ or go wrong: the build of SmarterMail that is acted, and its faults.

The names of the calls are those of the facts on SmarterMail's REST API.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Build:
    """Where public clients disagree, and what nothing public fixes: one build's choice."""

    # spool-messages: “spoolName or filter”. The one it does not know is an unknown field.
    spool_named_by: Literal["filter", "spoolName"] = "filter"
    # Whether a spoolName build takes a filter and does not heed it, as many servers do.
    ignores_filter: bool = False
    # spool-messages: fields of a message past fileName and spoolName are not public.
    spool_tells_more: bool = True
    # spool-messages: the most it gives for one call, whatever count says.
    most_per_page: int = 200
    # spool-delete-messages is not everywhere; spool-delete-message is.
    deletes_many: bool = True
    # Act as a domain's user: manage-domain (a hosting panel's) or manage-user.
    rights_by: Literal["manage-domain", "manage-user"] = "manage-domain"
    # The same: how it says that there is no such domain.
    unknown_domain: int = 200
    # account-list-search: whether it heeds skip; nothing public shows that it does.
    heeds_skip: bool = True
    # User fields: securityFlags.isDisabled with post-user, or users-disable alone.
    disables_by: Literal["post-user", "users-disable"] = "post-user"
    # Delete users: users-delete, or account-list-delete alone.
    deletes_users_by: Literal["users-delete", "account-list-delete"] = "users-delete"
    # ip-access/false: searchParams with showHoneypot, or searchParams {Skip, Take, Search}.
    lists_blocks_by: Literal["full", "short"] = "full"
    # ip-access-delete: whether dataType is a field of it.
    typed_unblock: bool = True
    # log-files: how the brackets of a line are set, and how many characters it gives.
    spaced_brackets: bool = False
    most_of_log: int = 10_000_000
    # log-files: what times within a day do; nothing public shows it.
    hours: Literal["heeded", "ignored", "an hour off", "empty"] = "heeded"
    # Whether the log's level is Detailed.
    detailed_log: bool = True
    # Log in: isAdmin says whether the login is a system administrator's.
    login_is_admin: bool = True


@dataclass(slots=True)
class Faults:
    """What goes wrong now. Calls are named without what comes after their name."""

    hanging: set[str] = field(default_factory=set)  # no answer until the client leaves
    held: dict[str, asyncio.Event] = field(default_factory=dict)  # answered once that is set
    truncated: set[str] = field(default_factory=set)  # half of the JSON, with a right length
    broken: set[str] = field(default_factory=set)  # half of the announced length
    html: set[str] = field(default_factory=set)  # a proxy's error page, HTTP 502
    html_ok: set[str] = field(default_factory=set)  # a login page, HTTP 200
    redirected: set[str] = field(default_factory=set)  # to a web page
    refused: dict[str, str] = field(default_factory=dict)  # success: false, with HTTP 200
    hung_up: dict[str, int] = field(default_factory=dict)  # how many times it just hangs up
    senseless: set[str] = field(default_factory=set)  # JSON, but a list
    missing: set[str] = field(default_factory=set)  # no such call: HTTP 404
    ignored: set[str] = field(default_factory=set)  # success: true, and nothing was done
    unauthorized: set[str] = field(default_factory=set)  # HTTP 401 whatever the token
    #: Done after a call was answered, once: what happens between two calls.
    then: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)

    def clear(self) -> None:
        """Let everything go well again."""
        for name in self.__dataclass_fields__:
            getattr(self, name).clear()
