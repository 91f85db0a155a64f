"""Forms as Discord's modals, and what was filled in.

A modal has its text on top and then its fields, five in all (Discord's "Modal"
reference); title and label 45, a field's description 100, an option's label 100, 10
options as radio buttons or checkboxes and 25 in a menu. Its buttons are the
client's own: the title has to ask what submitting answers.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import discord
from discord import ui

from bot.discord.components import MAX_OPTIONS, MAX_TEXT, hint, label, options, words
from bot.elements import Choose, Field, Form, Tick, Values, Write, cut

FORM = "form"
MAX_FIELDS = 4
_FEW = 10


def modal(form: Form) -> ui.Modal:
    """Return a form as a modal. Raises ValueError for more fields than a modal holds."""
    if len(form.fields) > MAX_FIELDS:
        raise ValueError(f"a modal holds {MAX_FIELDS} fields, “{form.title}” has more")
    shown = ui.Modal(title=label(form.title, 45), custom_id=f"{FORM}:{form.intent_id}")
    if text := words(form.sections, MAX_TEXT):
        shown.add_item(ui.TextDisplay(text))
    for field in form.fields:
        if made := _field(field):
            shown.add_item(made)
    if not shown.children:
        shown.add_item(ui.TextDisplay(label("", 1)))
    # Answers are found by the custom id, after a restart as before. A modal that has not
    # been stopped would be kept by the client for ever when nobody submits it.
    shown.stop()
    return shown


def values(components: list[dict[str, Any]]) -> Values:
    """Parse a submitted modal's components into what was filled in, by the field's name."""
    filled: Values = {}
    for component in _inner(components):
        name = component.get("custom_id")
        if not isinstance(name, str):
            continue
        if isinstance(component.get("values"), list):
            filled[name] = tuple(str(value) for value in component["values"])
        elif isinstance(component.get("value"), str) and component["value"]:
            filled[name] = (component["value"],)
    return filled


def _inner(components: Any) -> Iterator[Mapping[str, Any]]:
    for component in components if isinstance(components, list) else ():
        if isinstance(component, dict):
            # A label holds its field, and an action row the field that it holds.
            yield component
            yield from _inner([component.get("component")])
            yield from _inner(component.get("components"))


def _field(field: Field) -> "ui.Label[Any] | None":
    """Return a field under its label; None for a list of options without any."""
    described = None
    item: ui.Item[Any] | None
    match field:
        case Choose():
            item = _choice(field)
        case Tick():
            item = _ticks(field)
        case Write():
            item = _written(field)
            described = hint(field.hint)
    if item is None:
        return None
    return ui.Label(text=label(field.label, 45), description=described, component=item)


def _choice(field: Choose) -> "ui.Item[Any] | None":
    kept = options(field.options, MAX_OPTIONS, field.initial)
    if not kept:
        return None
    first = field.initial if any(o.value == field.initial for o in kept) else kept[0].value
    if not 2 <= len(kept) <= _FEW:
        return ui.Select(
            custom_id=field.name,
            options=[
                discord.SelectOption(
                    label=label(o.label, 100),
                    value=o.value,
                    description=hint(o.hint),
                    default=o.value == first,
                )
                for o in kept
            ],
        )
    return ui.RadioGroup(
        custom_id=field.name,
        options=[
            discord.RadioGroupOption(
                label=label(o.label, 100),
                value=o.value,
                description=hint(o.hint),
                default=o.value == first,
            )
            for o in kept
        ],
    )


def _ticks(field: Tick) -> "ui.Item[Any] | None":
    kept = options(field.options, _FEW)
    if not kept:
        return None
    return ui.CheckboxGroup(
        custom_id=field.name,
        # None ticked is an answer too, and the bot has a sentence for it.
        required=False,
        min_values=0,
        max_values=len(kept),
        options=[
            discord.CheckboxGroupOption(
                label=label(o.label, 100),
                value=o.value,
                description=hint(o.hint),
                default=o.value in field.initial,
            )
            for o in kept
        ],
    )


def _written(field: Write) -> "ui.Item[Any]":
    longest = min(max(field.longest, 1), MAX_TEXT)
    return ui.TextInput(
        custom_id=field.name,
        default=cut(field.initial, longest) or None,
        required=False,
        max_length=longest,
    )
