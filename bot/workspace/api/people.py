"""``users.*``, ``usergroups.*``, ``auth.test``, ``api.test`` and ``apps.connections.open``."""

from bot.workspace.api.method import BOOLEAN, STRING, Arguments, Context, Method, required
from bot.workspace.limits import HUNDREDS, TIER_1, TIER_2, TIER_4
from bot.workspace.store import Store
from bot.workspace.values import ApiError, JsonObject, Member


def _user_form(store: Store, member: Member, *, bot: bool, locale: bool) -> JsonObject:
    names = {"real_name": member.real_name, "display_name": member.name, "title": member.title}
    form: JsonObject = {
        "id": member.id,
        "team_id": store.identity.team_id,
        "name": member.name,
        "deleted": False,
        "real_name": member.real_name,
        "tz": "Etc/UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": {**names, "team": store.identity.team_id},
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": bot,
        "is_app_user": False,
        "updated": 0,
    }
    # Told only where it is asked for ("include_locale").
    return {**form, "locale": member.locale} if locale else form


def user_info(c: Context, a: Arguments) -> JsonObject:
    """Serve users.info."""
    wanted, locale = a.text("user"), a.flag("include_locale")
    if wanted == c.store.identity.bot_user:
        itself = Member(wanted, c.app_name.lower(), c.app_name)
        return {"ok": True, "user": _user_form(c.store, itself, bot=True, locale=locale)}
    member = c.store.members.get(wanted)
    if member is None:
        raise ApiError("user_not_found")
    return {"ok": True, "user": _user_form(c.store, member, bot=False, locale=locale)}


def usergroups(c: Context, a: Arguments) -> JsonObject:
    """Serve usergroups.list."""
    groups = []
    for group_id, users in c.store.usergroups.items():
        form: JsonObject = {
            "id": group_id,
            "team_id": c.store.identity.team_id,
            "is_usergroup": True,
            "is_subteam": True,
            "auto_provision": False,
            "enterprise_subteam_id": "",
            "is_external": False,
            "name": group_id.lower(),
            "handle": group_id.lower(),
            "description": "",
            "date_create": 0,
            "date_update": 0,
            "date_delete": 0,
            "auto_type": None,
            "created_by": next(iter(c.store.members), c.store.identity.bot_user),
            "updated_by": next(iter(c.store.members), c.store.identity.bot_user),
            "deleted_by": None,
            "prefs": {"channels": [], "groups": []},
        }
        if a.flag("include_users"):
            form["users"] = list(users)
        if a.flag("include_count"):
            form["user_count"] = len(users)
        groups.append(form)
    return {"ok": True, "usergroups": groups}


def usergroup_users(c: Context, a: Arguments) -> JsonObject:
    """Serve usergroups.users.list."""
    users = c.store.usergroups.get(a.text("usergroup"))
    if users is None:
        raise ApiError("no_such_subteam")
    return {"ok": True, "users": list(users)}


def auth_test(c: Context, a: Arguments) -> JsonObject:
    """Serve auth.test."""
    identity = c.store.identity
    return {
        "ok": True,
        "url": f"https://{identity.team_domain}.slack.com/",
        "team": identity.team_name,
        "user": c.app_name.lower(),
        "team_id": identity.team_id,
        "user_id": identity.bot_user,
        "bot_id": identity.bot_id,
        "is_enterprise_install": False,
    }


def api_test(c: Context, a: Arguments) -> JsonObject:
    """Serve api.test: says back what it was told, or fails as told."""
    if a.has("error"):
        raise ApiError(str(a.raw("error")))
    return {"ok": True}


def connections_open(c: Context, a: Arguments) -> JsonObject:
    """Serve apps.connections.open: the URL of one Socket Mode connection."""
    base = c.origin().replace("http://", "ws://", 1)
    return {"ok": True, "url": f"{base}/link/?ticket={c.link_ticket()}&app_id=local"}


METHODS = (
    Method(
        "users.info",
        user_info,
        TIER_4,
        {"user": required(STRING), "include_locale": BOOLEAN},
        ("users:read",),
    ),
    Method(
        "usergroups.list",
        usergroups,
        TIER_2,
        {
            "include_users": BOOLEAN,
            "include_count": BOOLEAN,
            "include_disabled": BOOLEAN,
        },
        ("usergroups:read",),
    ),
    Method(
        "usergroups.users.list",
        usergroup_users,
        TIER_2,
        {"usergroup": required(STRING), "include_disabled": BOOLEAN},
        ("usergroups:read",),
    ),
    Method("auth.test", auth_test, HUNDREDS),
    Method("api.test", api_test, TIER_4, token="none", any_arguments=True),  # noqa: S106
    Method("apps.connections.open", connections_open, TIER_1, token="app"),  # noqa: S106
)
