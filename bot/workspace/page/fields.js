// Elements a value is typed or ticked into: text, number, date, checkboxes, radio buttons.

import { freshId } from "./dialog.js";
import { el } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { plain, plainString } from "./text.js";

const focusName = (ref) => `${ref.block_id}/${ref.action_id}`;
const textNode = (object, people) =>
  object?.type === "mrkdwn" ? mrkdwn(object.text, people) : plain(object);

function counted(control, maximum) {
  const count = el("span", { class: "count", "aria-hidden": "true" });
  const show = () => {
    count.textContent = `${control.value.length} / ${maximum}`;
  };
  control.addEventListener("input", show);
  show();
  return el("span", { class: "field-counted" }, control, count);
}

function textField(spec, ref, host, input, use) {
  const kinds = { number_input: "number", email_text_input: "email", url_text_input: "url" };
  const kind = kinds[spec.type] ?? "text";
  const attrs = {
    class: "text-field",
    placeholder: spec.placeholder ? plainString(spec.placeholder) : null,
    minlength: spec.min_length,
    maxlength: spec.max_length,
    autocomplete: "off",
    spellcheck: "false",
    data: { focus: focusName(ref), action: ref.action_id },
  };
  const control = spec.multiline
    ? el("textarea", { ...attrs, rows: 4 })
    : el("input", { ...attrs, type: kind, min: spec.min_value, max: spec.max_value });
  if (kind === "number") control.setAttribute("step", spec.is_decimal_allowed ? "any" : "1");
  control.value = host.get?.(ref)?.text ?? spec.initial_value ?? "";
  const read = () => (control.value === "" ? null : { text: control.value });
  host.set?.(ref, read());
  const when = spec.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  control.addEventListener("input", () => {
    host.set?.(ref, read());
    if (input?.dispatch_action && when.includes("on_character_entered")) use(control, read());
  });
  control.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || spec.multiline || event.isComposing) return;
    if (!input?.dispatch_action || !when.includes("on_enter_pressed")) return;
    event.preventDefault();
    use(control, read());
  });
  if (spec.focus_on_load) control.dataset.first = "";
  return spec.max_length ? counted(control, spec.max_length) : control;
}

function dateField(spec, ref, host, input, use) {
  const control = el("input", {
    class: "text-field",
    type: "date",
    "aria-label": spec.placeholder ? plainString(spec.placeholder) : "Date",
    data: { focus: focusName(ref), action: ref.action_id },
  });
  control.value = host.get?.(ref)?.date ?? spec.initial_date ?? "";
  const read = () => (control.value ? { date: control.value } : null);
  host.set?.(ref, read());
  control.addEventListener("change", () => {
    host.set?.(ref, read());
    if ((!input || input.dispatch_action) && control.value) use(control, read());
  });
  return control;
}

function ticks(spec, ref, host, input, use) {
  const many = spec.type === "checkboxes";
  const held = host.get?.(ref);
  const initial = many
    ? (spec.initial_options ?? []).map((option) => option.value)
    : [spec.initial_option?.value].filter((value) => value !== undefined);
  const current = held?.options ?? (held?.option ? [held.option] : initial);
  const name = freshId("ticks");
  const set = el("div", { class: "ticks", role: many ? "group" : "radiogroup" });
  const boxes = (spec.options ?? []).map((option, index) => {
    const box = el("input", {
      type: many ? "checkbox" : "radio",
      name,
      checked: current.includes(option.value),
      data: { focus: `${focusName(ref)}/${index}`, action: ref.action_id },
    });
    const about = option.description
      ? el("span", { class: "option-about" }, textNode(option.description, host.people))
      : null;
    const words = el("span", { class: "option" }, textNode(option.text, host.people), about);
    set.append(el("label", { class: "tick" }, box, words));
    return { box, value: option.value };
  });
  const read = () => {
    const on = boxes.filter(({ box }) => box.checked).map(({ value }) => value);
    if (many) return { options: on };
    return on.length ? { option: on[0] } : null;
  };
  host.set?.(ref, read());
  set.addEventListener("change", () => {
    host.set?.(ref, read());
    if (!input || input.dispatch_action) use(set, read());
  });
  return set;
}

const MAKERS = {
  plain_text_input: textField,
  number_input: textField,
  email_text_input: textField,
  url_text_input: textField,
  datepicker: dateField,
  checkboxes: ticks,
  radio_buttons: ticks,
};

/** Make the field `spec` describes, or null for a type that is not one. */
export function field(spec, ref, host, input, use) {
  return MAKERS[spec.type]?.(spec, ref, host, input, use) ?? null;
}
