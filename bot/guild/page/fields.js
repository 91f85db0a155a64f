// The fields of a modal. Each is made for a `form`:
//   form.set(custom_id, value)   what it holds now; undefined for nothing
//   form.focus(custom_id)        the name its control keeps the focus by

import { TYPE } from "./components.js";
import { picker } from "./controls.js";
import { freshId } from "./dialog.js";
import { el } from "./dom.js";
import { safeString, safeText } from "./text.js";

const PARAGRAPH = 2;
const LONGEST = 4000;

function textInput(spec, form, names) {
  const attrs = {
    class: "text-field",
    placeholder: spec.placeholder ? safeString(spec.placeholder) : null,
    maxlength: spec.max_length ?? LONGEST,
    autocomplete: "off",
    spellcheck: "false",
    data: { focus: form.focus(spec.custom_id), customId: spec.custom_id },
    ...names,
  };
  const control =
    spec.style === PARAGRAPH
      ? el("textarea", { ...attrs, rows: 4 })
      : el("input", { ...attrs, type: "text" });
  control.value = spec.value ?? "";
  const count = el("span", { class: "count", "aria-hidden": "true" });
  const changed = () => {
    form.set(spec.custom_id, control.value);
    count.textContent = spec.max_length ? `${control.value.length}/${spec.max_length}` : "";
  };
  control.addEventListener("input", changed);
  changed();
  return el("span", { class: "field-counted" }, control, spec.max_length ? count : null);
}

function stringSelect(spec, form, names) {
  const initial = (spec.options ?? []).filter((option) => option.default);
  form.set(spec.custom_id, initial.map((option) => option.value));
  const changed = async (values) => {
    form.set(spec.custom_id, values);
    return true;
  };
  return picker(spec, form.focus(spec.custom_id), changed, names);
}

/** One line with a box or a dot to tick. */
function tick(type, name, option, focus) {
  const box = el("input", { type, name, checked: Boolean(option.default), data: { focus } });
  const about = option.description
    ? el("span", { class: "option-about" }, safeText(option.description))
    : null;
  const words = option.label ? el("span", {}, safeText(option.label)) : null;
  const beside = el("span", { class: "option" }, words, about);
  return { box, node: el("label", { class: "tick" }, box, beside) };
}

function ticks(spec, form, names) {
  const many = spec.type === TYPE.CHECKBOX_GROUP;
  const name = freshId("ticks");
  const lines = (spec.options ?? []).map((option, index) => ({
    value: option.value,
    ...tick(many ? "checkbox" : "radio", name, option, `${form.focus(spec.custom_id)}/${index}`),
  }));
  const attrs = { class: "ticks", role: many ? "group" : "radiogroup", ...names };
  const set = el("div", attrs, ...lines.map((line) => line.node));
  const changed = () => {
    const on = lines.filter(({ box }) => box.checked).map(({ value }) => value);
    form.set(spec.custom_id, many ? on : on[0]);
  };
  set.addEventListener("change", changed);
  changed();
  return set;
}

/** A single box: its value is whether it is ticked. */
function checkbox(spec, form, names) {
  const focus = form.focus(spec.custom_id);
  const checked = Boolean(spec.default);
  const box = el("input", { type: "checkbox", checked, data: { focus }, ...names });
  const changed = () => form.set(spec.custom_id, box.checked);
  box.addEventListener("change", changed);
  changed();
  return el("span", { class: "lone" }, box);
}

const MAKERS = {
  [TYPE.TEXT_INPUT]: textInput,
  [TYPE.STRING_SELECT]: stringSelect,
  [TYPE.RADIO_GROUP]: ticks,
  [TYPE.CHECKBOX_GROUP]: ticks,
  [TYPE.CHECKBOX]: checkbox,
};

/** Make the field `spec` describes; `names` are the attributes that give it its label. */
export function field(spec, form, names) {
  const make = MAKERS[spec.type];
  return make
    ? make(spec, form, names)
    : el("span", { class: "unsupported" }, `[field of type ${spec.type}]`);
}

/** Whether something must be filled in; a field is required unless it says otherwise. */
export function required(spec) {
  return spec.type !== TYPE.CHECKBOX && spec.required !== false;
}
