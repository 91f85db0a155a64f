"""Who may do what: deny by default, the highest role wins, groups are asked and remembered."""

from datetime import timedelta

import pytest

from services.access import GROUP_CACHE, Access
from services.clock import ManualClock
from services.errors import Refused, SpoolwardenError
from services.people import BOT, Actor, Role
from services.settings import AccessSettings

_ANN = Actor("slack", "UANN", "Ann")


class Directory:
    """A chat's groups, as the test says they are; counts how often it is asked."""

    def __init__(self, **groups: set[str]) -> None:
        self.groups = groups
        self.asked = 0
        self.down = False

    async def members(self, group_id: str) -> frozenset[str]:
        self.asked += 1
        if self.down:
            raise SpoolwardenError("the chat does not answer")
        return frozenset(self.groups.get(group_id, ()))


def _access(
    clock: ManualClock, directory: Directory | None = None, **lists: tuple[str, ...]
) -> Access:
    groups = {} if directory is None else {"slack": directory}
    return Access(AccessSettings(**lists), groups, clock)


async def test_each_list_gives_its_role(clock: ManualClock) -> None:
    access = _access(clock, viewers=("U1",), operators=("U2",), admins=("U3",))
    roles = [await access.role(Actor("slack", f"U{n}", "x")) for n in (1, 2, 3, 4)]
    assert roles == [Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.NONE]


async def test_the_highest_role_wins(clock: ManualClock) -> None:
    directory = Directory(S1={"UANN"})
    access = _access(clock, directory, viewers=("UANN",), operators=("group:S1",))
    assert await access.role(_ANN) is Role.OPERATOR
    access = _access(clock, directory, operators=("UANN",), admins=("group:S1",))
    assert await access.role(_ANN) is Role.ADMIN


async def test_nobody_is_anybody_without_settings(clock: ManualClock) -> None:
    assert await _access(clock).role(_ANN) is Role.NONE


@pytest.mark.parametrize("user_id", ["uann", "UANN ", "", "group:S1", "Ann"])
async def test_only_the_very_id_counts(clock: ManualClock, user_id: str) -> None:
    access = _access(clock, Directory(S1={"UBOB"}), admins=("UANN", "group:S1x"))
    assert await access.role(Actor("slack", user_id, "UANN")) is Role.NONE


async def test_a_group_gives_its_role_to_members_only(clock: ManualClock) -> None:
    access = _access(clock, Directory(S1={"UANN"}), operators=("group:S1",))
    assert await access.role(_ANN) is Role.OPERATOR
    assert await access.role(Actor("slack", "UBOB", "Bob")) is Role.NONE
    # The same id in a chat whose groups nobody can ask is another person.
    assert await access.role(Actor("discord", "UANN", "Ann")) is Role.NONE


async def test_a_lookup_that_fails_denies(clock: ManualClock) -> None:
    directory = Directory(S1={"UANN"})
    directory.down = True
    access = _access(clock, directory, viewers=("UANN",), admins=("group:S1",))
    # The list that can be read still counts, and the failure is not remembered.
    assert await access.role(_ANN) is Role.VIEWER
    directory.down = False
    assert await access.role(_ANN) is Role.ADMIN


async def test_members_are_remembered_and_asked_for_anew_when_that_is_old(
    clock: ManualClock,
) -> None:
    directory = Directory(S1={"UANN"})
    access = _access(clock, directory, admins=("group:S1",))
    assert await access.role(_ANN) is Role.ADMIN
    directory.groups["S1"].clear()
    clock.set(clock.now() + GROUP_CACHE - timedelta(seconds=1))
    assert (await access.role(_ANN), directory.asked) == (Role.ADMIN, 1)
    clock.set(clock.now() + timedelta(seconds=1))
    assert (await access.role(_ANN), directory.asked) == (Role.NONE, 2)


async def test_an_old_answer_is_not_used_when_the_lookup_fails(clock: ManualClock) -> None:
    directory = Directory(S1={"UANN"})
    access = _access(clock, directory, admins=("group:S1",))
    assert await access.role(_ANN) is Role.ADMIN
    directory.down = True
    clock.set(clock.now() + GROUP_CACHE)
    assert await access.role(_ANN) is Role.NONE


@pytest.mark.parametrize("needed", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
async def test_a_role_may_do_what_the_ones_below_it_may(clock: ManualClock, needed: Role) -> None:
    access = _access(clock, viewers=("U1",), operators=("U2",), admins=("U3",))
    for number in (1, 2, 3):
        actor = Actor("slack", f"U{number}", "x")
        if number >= needed:
            await access.require(actor, needed, "do that")
        else:
            with pytest.raises(Refused):
                await access.require(actor, needed, "do that")


async def test_a_refusal_names_both_roles_and_what_to_do(clock: ManualClock) -> None:
    access = _access(clock, viewers=("UANN",))
    with pytest.raises(Refused) as refused:
        await access.require(_ANN, Role.ADMIN, "use “delete”")
    assert refused.value.sentence == (
        "You may not use “delete”: that needs the role admin, and yours is viewer. Nothing was "
        "done. Someone who runs Spoolwarden can add you in its [access] settings."
    )
    with pytest.raises(Refused, match=r"needs the role operator, and you have no role\. Nothing"):
        await access.require(Actor("slack", "UBOB", "Bob"), Role.OPERATOR, "do that")


async def test_the_bot_itself_may(clock: ManualClock) -> None:
    access = _access(clock)
    await access.require(BOT, Role.ADMIN, "purge")
    assert await access.role(Actor("slack", BOT.user_id, BOT.name)) is Role.NONE


# -- for whose mail --------------------------------------------------------------------------


async def test_a_role_is_for_everybody_unless_it_is_limited(clock: ManualClock) -> None:
    limited = AccessSettings(
        viewers=("UANN",), operators=("UBOB",), domains={"UANN": ("Example.com", "bücher.example")}
    )
    access = Access(limited, {}, clock)
    mine = frozenset({"example.com", "xn--bcher-kva.example"})
    assert (await access.require(_ANN, Role.VIEWER, "look")).domains == mine
    bob = Actor("slack", "UBOB", "Bob")
    assert (await access.require(bob, Role.VIEWER, "look")).everything
    assert (await access.require(BOT, Role.ADMIN, "purge")).everything


async def test_a_limit_goes_with_the_role_it_was_given_for(clock: ManualClock) -> None:
    directory = Directory(S1={"UANN"}, S2={"UANN"})
    lists = AccessSettings(
        viewers=("group:S1",),
        operators=("UANN", "group:S2"),
        domains={"UANN": ("one.test",), "group:S2": ("two.test",)},
    )
    access = Access(lists, {"slack": directory}, clock)
    # Everybody's is seen, but only what two entries are for together may be acted on.
    assert (await access.require(_ANN, Role.VIEWER, "look")).everything
    acting = await access.require(_ANN, Role.OPERATOR, "act")
    assert acting.domains == frozenset({"one.test", "two.test"})
    with pytest.raises(Refused, match="needs the role admin"):
        await access.require(_ANN, Role.ADMIN, "purge")


async def test_a_lookup_that_fails_narrows_and_never_widens(clock: ManualClock) -> None:
    directory = Directory(S1={"UANN"}, S2={"UANN"})
    lists = AccessSettings(
        operators=("UANN", "group:S1", "group:S2"),
        domains={"UANN": ("one.test",), "group:S1": ("two.test",)},
    )
    access = Access(lists, {"slack": directory}, clock)
    directory.down = True
    assert (await access.require(_ANN, Role.OPERATOR, "act")).domains == frozenset({"one.test"})
    directory.down = False
    assert (await access.require(_ANN, Role.OPERATOR, "act")).everything
    # And who is in groups alone is nobody.
    clock.set(clock.now() + GROUP_CACHE)
    directory.down = True
    groups = AccessSettings(operators=("group:S1",), domains={"group:S1": ("two.test",)})
    with pytest.raises(Refused, match="you have no role"):
        await Access(groups, {"slack": directory}, clock).require(_ANN, Role.VIEWER, "look")
