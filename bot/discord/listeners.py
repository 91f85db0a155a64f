"""What people do in Discord, handed to the dispatch, and its answer shown to them.

Discord gives three seconds for the first answer, and a modal can be nothing but a first
answer ("Receiving and Responding to Interactions"). So an answer that takes longer than
_PATIENCE is announced first and filled in when it comes; a form that came too late for a
modal gets a button that opens it.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import aiohttp
import discord

from bot import line_cards
from bot.discord.components import MAX_WORDS, message, notice, question, sheet
from bot.discord.modals import modal, values
from bot.dispatch import Answer, Dispatch
from bot.elements import (
    Card,
    Form,
    Paragraph,
    Sheet,
    cut,
    figure_of,
    illustrated,
    say,
)
from bot.underway import UnderWay
from services.claims import Claims
from services.errors import StoreError
from services.language import reading, tr
from services.people import Actor, Place

DISCORD = "discord"
_log = logging.getLogger(__name__)
#: Seconds to wait for an answer before "working on it" is shown in its stead.
_PATIENCE = 1.5
#: Forms that can be opened again, at most; older ones are asked for anew.
_FORMS = 200
#: Seconds that the instance with the form goes before the others.
_HEAD_START = 0.25
#: Seconds after which nobody else will answer; a second is left for saying so.
_LAST_MOMENT = 2.0

Interaction = discord.Interaction[Any]


class Listeners:
    """Answers interactions. ``under_way`` is what a graceful stop waits for."""

    def __init__(self, dispatch: Dispatch, claims: Claims) -> None:
        self._dispatch = dispatch
        self._claims = claims
        # By who was asked: another's form shows what is none of their business.
        self._forms: OrderedDict[tuple[int, str], Form] = OrderedDict()
        self.under_way = UnderWay()
        self.guild_id: int | None = None  # the server whose members are served, once known

    async def takes(self, interaction: Interaction, form: str | None = None) -> bool:
        """Tell whether it is this instance that answers: each of several is told of everything.

        ``form`` is the intent of the form that is needed for it: who has it goes first.
        """
        with self.under_way.answering():
            return await self._takes(interaction, form)

    async def _takes(self, interaction: Interaction, form: str | None) -> bool:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        has_form = form is None or (interaction.user.id, form) in self._forms
        if self._claims.contested and not has_form:
            await asyncio.sleep(_HEAD_START)
        try:
            return await self._claims.first(f"{DISCORD} {interaction.id}")
        except StoreError as error:
            # Another one may be able to; only where none has answered by then this is shown.
            await asyncio.sleep(begun + _LAST_MOMENT - loop.time())
            if interaction.type is not discord.InteractionType.autocomplete:
                said = message(line_cards.failure(error.sentence))
                await _sent(interaction.response.send_message(view=said, ephemeral=True))
            return False

    # -- what can happen ---------------------------------------------------------------

    async def chosen(self, interaction: Interaction, name: str, given: dict[str, str]) -> None:
        """Answer a slash command."""
        if not await self._is_ours(interaction):
            return
        work = self._dispatch.chosen(_actor(interaction), _place(interaction), name, given)
        await self._answer(interaction, work)

    async def suggested(
        self, interaction: Interaction, name: str, given: dict[str, str], typing: str
    ) -> Sequence[str]:
        """Suggest values for an argument; nothing to anybody of another server."""
        if interaction.guild_id != self.guild_id:
            return ()
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._dispatch.suggestions(_actor(interaction), name, given, typing)
        except TimeoutError:
            return ()

    async def pressed(self, interaction: Interaction, intent_id: str) -> None:
        """Answer a button that needs no question, or what was picked from a menu."""
        if await self._is_ours(interaction):
            work = self._dispatch.pressed(_actor(interaction), _place(interaction), intent_id)
            await self._answer(interaction, work)

    async def asked(self, interaction: Interaction, intent_id: str) -> None:
        """Ask before a button acts."""
        if await self._is_ours(interaction):
            work = self._dispatch.question(_actor(interaction), _place(interaction), intent_id)
            await self._answer(interaction, work)

    async def confirmed(self, interaction: Interaction, intent_id: str) -> None:
        """Do what a private question asked."""
        if await self._is_ours(interaction):
            actor, place = _actor(interaction), _place(interaction)
            work = self._dispatch.submitted(actor, place, intent_id, {})
            await self._answer(interaction, work, instead=True)

    async def submitted(self, interaction: Interaction, intent_id: str) -> None:
        """Answer a form that was filled in."""
        if not await self._is_ours(interaction):
            return
        data: Any = interaction.data or {}
        work = self._dispatch.submitted(
            _actor(interaction), _place(interaction), intent_id, values(data.get("components", []))
        )
        await self._answer(interaction, self._or_again(work, interaction.user.id, intent_id))

    async def opened(self, interaction: Interaction, intent_id: str) -> None:
        """Open a form that came too late before, or is to be filled in again."""
        if not await self._is_ours(interaction):
            return
        form = self._forms.get((interaction.user.id, intent_id))
        late = Answer(
            line_cards.failure(
                tr("This form is too old. Nothing was done; please ask for it again.")
            ),
            failed=True,
        )
        await self._show(interaction, Answer(form, layer=True) if form else late)

    async def cancelled(self, interaction: Interaction) -> None:
        """Take a private question away."""
        await _sent(
            interaction.response.edit_message(
                view=message(line_cards.note(tr("Nothing was done.")))
            )
        )

    # -- answering ---------------------------------------------------------------------

    async def _is_ours(self, interaction: Interaction) -> bool:
        if interaction.guild_id is not None and interaction.guild_id == self.guild_id:
            return True
        said = line_cards.failure(
            tr("Spoolwarden serves another Discord server. Nothing was done.")
        )
        await _sent(interaction.response.send_message(view=message(said), ephemeral=True))
        return False

    async def _answer(
        self, interaction: Interaction, work: Coroutine[Any, Any, Answer], *, instead: bool = False
    ) -> None:
        """Show the answer in time, or that it is being worked on, and then the answer.

        ``instead``: it takes the place of the private message that was pressed.
        """
        late = False
        with self.under_way.answering():
            task = self.under_way.keep(work)
            await asyncio.wait({task}, timeout=_PATIENCE)
            if not task.done():
                if instead:
                    working = message(
                        line_cards.note(tr("Working on it … this fills in by itself."))
                    )
                    held = interaction.response.edit_message(view=working)
                else:
                    held = interaction.response.defer(ephemeral=True, thinking=True)
                late = await _sent(held)
            answer = await task
            with reading(answer.locale):
                await self._show(interaction, answer, instead=instead, late=late)

    async def _show(
        self,
        interaction: Interaction,
        answer: Answer,
        *,
        instead: bool = False,
        late: bool = False,
    ) -> None:
        """Show an answer; ``late``: in place of "working on it"."""
        reply, response = answer.reply, interaction.response
        private = interaction.message is not None and interaction.message.flags.ephemeral
        if isinstance(reply, Form):
            self._keep(interaction.user.id, reply)
            if not reply.fields:
                await self._say(interaction, question(reply), late=late)
            elif late or interaction.type is discord.InteractionType.modal_submit:
                await self._say(interaction, notice(reply, reply.intent_id), late=late)
            else:
                await _sent(response.send_modal(modal(reply)))
        elif reply is None:
            if late:
                done = line_cards.success(tr("Done; the channel tells how it went."))
                await _sent(interaction.edit_original_response(view=message(done)))
            else:
                await _sent(response.defer())
        elif isinstance(reply, Sheet):
            file = discord.File(BytesIO(reply.data), reply.name)
            await self._say(interaction, sheet(reply), late=late, files=[file])
        else:
            sure = bool(reply.once)  # a secret must surely be seen
            card, files = _illustrated(interaction, reply)
            if not late and private and (instead or not (answer.layer or answer.failed)):
                # A picture of before goes with the card that it was on.
                edited = response.edit_message(view=message(card), attachments=files)
                seen = await _sent(edited, sure=sure)
            else:
                view = message(card)
                seen = await self._say(interaction, view, late=late, files=files, sure=sure)
            if reply.once and not seen:
                sorry = await self._dispatch.not_shown(reply.once)
                await _sent(interaction.followup.send(view=message(sorry), ephemeral=True))

    async def _say(
        self,
        interaction: Interaction,
        view: discord.ui.LayoutView,
        *,
        late: bool,
        files: Sequence[discord.File] = (),
        sure: bool = False,
    ) -> bool:
        """Say something privately, in place of "working on it" where that was said."""
        if late:
            edited = interaction.edit_original_response(view=view, attachments=files)
            return await _sent(edited, sure=sure)
        response = interaction.response
        sent = response.send_message(view=view, ephemeral=True, files=files)
        return await _sent(sent, sure=sure)

    async def _or_again(
        self, work: Coroutine[Any, Any, Answer], user: int, intent_id: str
    ) -> Answer:
        """Offer the form again where other input would do: nothing was used up."""
        answer = await work
        form = self._forms.get((user, intent_id))
        if not answer.again or form is None:
            return answer
        return replace(answer, reply=replace(form, sections=(Paragraph(say(answer.sentence)),)))

    def _keep(self, user: int, form: Form) -> None:
        # The first is kept: one that is shown again has a fault on it in its text's stead.
        self._forms.setdefault((user, form.intent_id), form)
        while len(self._forms) > _FORMS:
            self._forms.popitem(last=False)


def _actor(interaction: Interaction) -> Actor:
    user = interaction.user
    # Sent by Discord with each interaction, so it is never out of date.
    roles = user.roles if isinstance(user, discord.Member) else []
    groups = frozenset(str(role.id) for role in roles)
    return Actor(DISCORD, str(user.id), user.name, groups, str(interaction.locale))


def _place(interaction: Interaction) -> Place:
    """Return the channel; a thread's buttons belong to the channel it is in."""
    channel = interaction.channel
    if isinstance(channel, discord.Thread):
        return Place(DISCORD, str(channel.parent_id))
    return Place(DISCORD, str(interaction.channel_id))


def _illustrated(interaction: Interaction, card: Card) -> tuple[Card, list[discord.File]]:
    """Return a card with its figure as an attachment, and that; as it is where none is allowed."""
    figure = figure_of(card)
    if figure is None or not interaction.app_permissions.attach_files:
        return card, []
    name = f"picture-{secrets.token_hex(4)}.png"
    words = cut(figure.words, MAX_WORDS)
    return illustrated(card, name), [discord.File(BytesIO(figure.png), name, description=words)]


async def _sent(call: Coroutine[Any, Any, Any], *, sure: bool = False) -> bool:
    """Await an answer to an interaction; return whether it arrived, or may have unless ``sure``.

    One that is lost takes nothing else with it: what was done is in the audit log and in
    the channel's lines all the same.
    """
    try:
        await call
    except (discord.HTTPException, discord.InteractionResponded) as error:
        _log.warning("an answer could not be shown: %s", error)
        return False
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        _log.warning("whether an answer was shown is not known: %r", error)
        return not sure
    return True
