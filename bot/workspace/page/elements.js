// The interactive elements of Block Kit ("Block elements"). Each is made for a `host`, the
// message or modal it stands in:
//   host.people            names of users and channels
//   host.press(ref, value) a person used it: resolves to {ok, error?}
//   host.get(ref), host.set(ref, value)   what a modal's input holds; absent in messages
//   host.fail(ref, text)   say beside it that it went wrong; null clears
// where ref is {block_id, action_id}.

import { confirmed } from "./confirm.js";
import { el, icon } from "./dom.js";
import { field } from "./fields.js";
import { link, mrkdwn } from "./mrkdwn.js";
import { openPopup } from "./popup.js";
import { plain, plainString, safeText } from "./text.js";

const ERRORS = {
  operation_timeout: "The app did not respond within 3 seconds. Nothing is known about the result.",
  no_such_element: "This control is no longer there: what it stood in has changed.",
  no_such_option: "This choice is no longer there: what it stood in has changed.",
  no_such_message: "This message is no longer there.",
  no_such_view: "This window is no longer on top.",
  unknown_command: "There is no such command here. Type / to see those there are.",
  unreachable: "The workspace cannot be reached. Is it still running?",
};

/** A sentence for an error code of the workspace. */
export function errorText(code) {
  return ERRORS[code] ?? `It did not work: ${code || "no reason given"}.`;
}

/** A text object of either type, as a node or fragment. */
export function textObject(object, people) {
  return object?.type === "mrkdwn" ? mrkdwn(object.text, people) : plain(object);
}

const focusName = (ref) => `${ref.block_id}/${ref.action_id}`;

/**
 * Ask first where the element says so, then press, showing `control` as pending meanwhile.
 * Resolves to true when the app acknowledged it.
 */
async function use(control, ref, element, host, value) {
  if (control.getAttribute("aria-busy") === "true") return false;
  if (
    element.confirm &&
    !(await confirmed(element.confirm, (text) => textObject(text, host.people)))
  ) {
    return false;
  }
  control.setAttribute("aria-busy", "true");
  control.setAttribute("aria-disabled", "true");
  host.fail(ref, null);
  const answer = await host.press(ref, value);
  control.removeAttribute("aria-busy");
  control.removeAttribute("aria-disabled");
  if (!answer.ok) host.fail(ref, errorText(answer.error));
  return answer.ok;
}

function button(element, ref, host) {
  const style = ["primary", "danger"].includes(element.style) ? ` btn-${element.style}` : "";
  const node = el(
    "button",
    {
      type: "button",
      class: `btn${style}`,
      "aria-label": element.accessibility_label ? plainString(element.accessibility_label) : null,
      data: { focus: focusName(ref), action: ref.action_id },
    },
    el("span", { class: "btn-label" }, plain(element.text)),
  );
  const target = element.url ? link(element.url, "") : null;
  node.addEventListener("click", () => {
    if (target) window.open(target.href, "_blank", "noopener,noreferrer");
    use(node, ref, element, host, null);
  });
  return node;
}

/** All options of a select with their groups, as popup items. */
function choices(element, host, selected) {
  const out = [];
  const add = (options, group) => {
    for (const option of options ?? []) {
      const text = plainString(option.text);
      const about = option.description
        ? el("span", { class: "option-about" }, textObject(option.description, host.people))
        : null;
      const node = el("span", { class: "option" }, textObject(option.text, host.people), about);
      out.push({
        value: option.value,
        text,
        node,
        group,
        selected: selected.includes(option.value),
      });
    }
  };
  if (element.type.endsWith("users_select")) {
    for (const member of host.people.members()) {
      const node = safeText(member.real_name || member.name);
      const isOn = selected.includes(member.id);
      out.push({ value: member.id, text: member.real_name || member.name, node, selected: isOn });
    }
  } else if (element.option_groups) {
    for (const group of element.option_groups) {
      add(group.options, { node: plain(group.label) });
    }
  } else {
    add(element.options, undefined);
  }
  return out;
}

/** The shown value of a select: chosen labels, or the placeholder. */
function showChosen(label, element, items, values) {
  const names = items.filter((item) => values.includes(item.value)).map((item) => item.text);
  label.classList.toggle("placeholder", names.length === 0);
  label.replaceChildren(
    names.length ? safeText(names.join(", ")) : plain(element.placeholder ?? "Choose"),
  );
}

function selectParts(element, ref, role) {
  const label = el("span", { class: "select-label" });
  const node = el(
    "button",
    {
      type: "button",
      class: "btn select",
      "aria-haspopup": role,
      "aria-expanded": "false",
      data: { focus: focusName(ref), action: ref.action_id },
    },
    label,
    icon("chevron"),
  );
  return { node, label };
}

function select(element, ref, host, input) {
  const user = element.type === "users_select";
  const initial = user ? element.initial_user : element.initial_option?.value;
  const held = host.get?.(ref);
  let values = [held?.option ?? held?.user ?? initial].filter((value) => value !== undefined);
  const wrap = (value) => (user ? { user: value } : { option: value });
  const { node, label } = selectParts(element, ref, "listbox");
  const show = () => showChosen(label, element, choices(element, host, []), values);
  show();
  if (values.length) host.set?.(ref, wrap(values[0]));
  const picked = async (value) => {
    const before = values;
    values = [value];
    show();
    host.set?.(ref, wrap(value));
    if (input && !input.dispatch_action) return;
    const done = await use(node, ref, element, host, wrap(value));
    // In a message a select is a menu of acts: it goes back to its name for the next one.
    if (!host.set || !done) {
      values = before;
      show();
      if (host.set) host.set(ref, before.length ? wrap(before[0]) : null);
    }
  };
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-busy") === "true" || node.getAttribute("aria-expanded") === "true")
      return;
    const items = choices(element, host, values);
    openPopup({
      anchor: node,
      items,
      label: plainString(element.placeholder ?? "Choose"),
      onPick: picked,
    });
  });
  return el("span", { class: "holder" }, node);
}

function multiSelect(element, ref, host, input) {
  const initial = (element.initial_options ?? []).map((option) => option.value);
  let values = host.get?.(ref)?.options ?? initial;
  const { node, label } = selectParts(element, ref, "listbox");
  const show = () => showChosen(label, element, choices(element, host, []), values);
  show();
  host.set?.(ref, { options: values });
  const closed = async (next) => {
    if (next.join("\n") === values.join("\n")) return;
    const before = values;
    values = next;
    show();
    host.set?.(ref, { options: next });
    if (input && !input.dispatch_action) return;
    if (!(await use(node, ref, element, host, { options: next }))) {
      values = before;
      show();
      host.set?.(ref, { options: before });
    }
  };
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-busy") === "true" || node.getAttribute("aria-expanded") === "true")
      return;
    const items = choices(element, host, values);
    const name = plainString(element.placeholder ?? "Choose");
    openPopup({ anchor: node, items, label: name, multi: true, onClose: closed });
  });
  return el("span", { class: "holder" }, node);
}

function overflow(element, ref, host) {
  const node = el(
    "button",
    {
      type: "button",
      class: "btn btn-icon",
      "aria-label": "More actions",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      data: { focus: focusName(ref), action: ref.action_id },
    },
    icon("dots"),
  );
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-busy") === "true" || node.getAttribute("aria-expanded") === "true")
      return;
    const items = choices(element, host, []);
    const onPick = (value) => use(node, ref, element, host, { option: value });
    openPopup({ anchor: node, items, label: "More actions", role: "menu", onPick });
  });
  return el("span", { class: "holder" }, node);
}

const MAKERS = {
  button,
  static_select: select,
  users_select: select,
  multi_static_select: multiSelect,
  overflow,
};

/**
 * Make an element. `input` is the input block around it, if there is one; then it holds a
 * value and is pressed only with dispatch_action.
 */
export function element(spec, ref, host, input = null) {
  const make = MAKERS[spec.type];
  if (make) return make(spec, ref, host, input);
  const node = field(spec, ref, host, input, (control, value) =>
    use(control, ref, spec, host, value),
  );
  return node ?? el("span", { class: "unsupported" }, safeText(`[${spec.type}]`));
}
