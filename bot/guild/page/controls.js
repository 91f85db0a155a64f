// Buttons in Discord's styles, and selects.

import { el, icon } from "./dom.js";
import { link } from "./inline.js";
import { openPopup } from "./popup.js";
import { emoji, safeString, safeText } from "./text.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };
const LINK = 5;
const ERRORS = {
  unreachable: "The server cannot be reached. Is it still running?",
};

/** A sentence for why an act was refused: the server's own words, where it has some. */
export function errorText(error) {
  return ERRORS[error] ?? (error || "This interaction failed");
}

/** An emoji of a component: a character, or the name of one of a server's own. */
function emojiNode(spec) {
  if (!spec?.name) return null;
  const words = spec.id ? `:${spec.name}:` : (emoji(spec.name) ?? spec.name);
  return el("span", { class: "btn-emoji" }, safeText(words));
}

const busy = (control) => control.getAttribute("aria-busy") === "true";

/** Press, showing `control` as pending meanwhile. Resolves to whether it was taken. */
async function use(control, spec, host, values) {
  if (busy(control)) return false;
  control.setAttribute("aria-busy", "true");
  control.setAttribute("aria-disabled", "true");
  host.fail(null);
  const answer = await host.press(spec.custom_id, values);
  control.removeAttribute("aria-busy");
  control.removeAttribute("aria-disabled");
  if (!answer.ok) host.fail(errorText(answer.error));
  return answer.ok;
}

/** A button. */
export function button(spec, host) {
  const label = spec.label ? safeText(spec.label) : null;
  const inner = el("span", { class: "btn-label" }, emojiNode(spec.emoji), label);
  const cls = `btn btn-${STYLES[spec.style] ?? "secondary"}`;
  if (spec.style === LINK) {
    const anchor = link(spec.url ?? "", [inner, icon("out")]);
    if (anchor) anchor.className = cls;
    return anchor ?? el("span", { class: `${cls} disabled` }, inner);
  }
  const attrs = {
    type: "button",
    class: cls,
    disabled: Boolean(spec.disabled),
    "aria-label": label ? null : safeString(spec.emoji?.name ?? "Button"),
    data: { focus: host.focus(spec.custom_id), customId: spec.custom_id },
  };
  const node = el("button", attrs, inner);
  node.addEventListener("click", () => use(node, spec, host, null));
  return node;
}

/** The options of a select as popup items. */
function items(spec, values) {
  return (spec.options ?? []).map((option) => {
    const about = option.description
      ? el("span", { class: "option-about" }, safeText(option.description))
      : null;
    const words = el("span", { class: "option-label" }, safeText(option.label));
    const lines = el("span", { class: "option" }, words, about);
    const node = el("span", { class: "option-line" }, emojiNode(option.emoji), lines);
    const selected = values.includes(option.value);
    return { value: option.value, text: option.label, node, selected };
  });
}

/**
 * A select's button and list. `changed(values, node)` runs when the person chose; it resolves
 * to whether the choice stays shown.
 */
export function picker(spec, focus, changed, attrs = {}) {
  const initial = (spec.options ?? []).filter((option) => option.default);
  let values = initial.map((option) => option.value);
  const label = el("span", { class: "select-label" });
  const node = el(
    "button",
    {
      type: "button",
      class: "select",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      disabled: Boolean(spec.disabled),
      data: { focus, customId: spec.custom_id },
      ...attrs,
    },
    label,
    icon("chevron"),
  );
  const show = () => {
    const chosen = (spec.options ?? []).filter((option) => values.includes(option.value));
    const words = chosen.map((option) => option.label).join(", ");
    label.classList.toggle("placeholder", !words);
    label.replaceChildren(safeText(words || spec.placeholder || "Make a selection"));
  };
  show();
  const choose = async (next) => {
    if (next.join("\n") === values.join("\n")) return;
    const before = values;
    values = next;
    show();
    if (await changed(next, node)) return;
    values = before;
    show();
  };
  const least = spec.min_values ?? 1;
  const most = spec.max_values ?? 1;
  node.addEventListener("click", () => {
    if (busy(node) || node.getAttribute("aria-expanded") === "true") return;
    openPopup({
      anchor: node,
      items: items(spec, values),
      label: safeString(spec.placeholder || "Make a selection"),
      multi: most > 1,
      max: most,
      onPick: (value) => choose([value]),
      onClose: (next) => most > 1 && (next.length >= least || !values.length) && choose(next),
    });
  });
  return el("span", { class: "holder" }, node);
}

/** A select of a message: choosing is an act. */
export function select(spec, host) {
  const act = async (values, node) => {
    if (values.length >= (spec.min_values ?? 1)) await use(node, spec, host, values);
    return false; // a menu of acts: it goes back to its name for the next one
  };
  return picker(spec, host.focus(spec.custom_id), act);
}
