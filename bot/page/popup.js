// One pop-up list for selects, overflow menus and the member picker, run by the keyboard as
// the ARIA Authoring Practices describe for listbox and menu.

import { el, icon } from "./dom.js";

const GAP = 4;
const MARGIN = 8;
let serial = 0;

/**
 * Open a list at `anchor`. `items`: `[{value, node, text, group?, selected?}]`, in order.
 * `role`: "listbox" or "menu". With `multi`, picking toggles and the list stays open;
 * no more than `max` can be chosen.
 * `onPick(value)` for single, `onClose(values)` always, with the chosen values.
 * Returns a function that closes it.
 */
export function openPopup({
  anchor,
  items,
  label,
  role = "listbox",
  multi = false,
  max = Infinity,
  onPick,
  onClose,
}) {
  const itemRole = role === "menu" ? "menuitem" : "option";
  serial += 1;
  const prefix = `popup-${serial}`;
  const chosen = new Set(items.filter((item) => item.selected).map((item) => item.value));
  const stop = new AbortController();
  let active = -1;
  let typed = "";
  let typedAt = 0;

  const list = el("div", {
    class: "popup",
    role,
    id: prefix,
    popover: "manual",
    tabindex: "-1",
    "aria-label": label,
    "aria-multiselectable": multi ? "true" : null,
    data: { focus: anchor.dataset.focus ?? prefix }, // its focus is the anchor's, if it goes
  });
  const marked = role === "listbox" && (multi || chosen.size > 0);
  const nodes = items.map((item, index) => {
    const mark = marked ? icon("check") : null;
    const node = el(
      "div",
      { class: "popup-item", role: itemRole, id: `${prefix}-${index}` },
      mark,
      item.node,
    );
    if (role === "listbox") node.setAttribute("aria-selected", String(chosen.has(item.value)));
    node.addEventListener("pointermove", () => active !== index && setActive(index, false));
    node.addEventListener("click", () => pick(index));
    return node;
  });
  fill();
  if (!items.length) list.append(el("div", { class: "popup-empty" }, "Nothing to choose from."));

  function fill() {
    let group = null;
    let holder = list;
    items.forEach((item, index) => {
      if (item.group !== group) {
        group = item.group;
        holder = list;
        if (group) {
          const title = el("div", { class: "popup-group", id: `${prefix}-g${index}` }, group.node);
          holder = el("div", { role: "group", "aria-labelledby": title.id }, title);
          list.append(holder);
        }
      }
      holder.append(nodes[index]);
    });
  }

  function setActive(index, scroll = true) {
    nodes[active]?.classList.remove("active");
    active = index;
    const node = nodes[active];
    if (!node) return;
    node.classList.add("active");
    list.setAttribute("aria-activedescendant", node.id);
    if (scroll) node.scrollIntoView({ block: "nearest" });
  }

  function pick(index) {
    const item = items[index];
    if (!item) return;
    if (!multi) {
      close();
      onPick?.(item.value);
      return;
    }
    if (!chosen.delete(item.value) && chosen.size < max) chosen.add(item.value);
    nodes[index].setAttribute("aria-selected", String(chosen.has(item.value)));
  }

  function close(refocus = true) {
    if (stop.signal.aborted) return;
    stop.abort();
    anchor.setAttribute("aria-expanded", "false");
    anchor.removeAttribute("aria-controls");
    list.remove();
    if (refocus && anchor.isConnected) anchor.focus({ preventScroll: true });
    onClose?.(items.map((item) => item.value).filter((value) => chosen.has(value)));
  }

  function typeahead(key) {
    typed = performance.now() - typedAt > 700 ? key : typed + key;
    typedAt = performance.now();
    const wanted = typed.toLocaleLowerCase();
    const from = typed.length === 1 ? active + 1 : Math.max(active, 0);
    for (let step = 0; step < items.length; step += 1) {
      const index = (from + step) % items.length;
      if (items[index].text.toLocaleLowerCase().startsWith(wanted)) return setActive(index);
    }
    return undefined;
  }

  function onKey(event) {
    const last = items.length - 1;
    const { key } = event;
    event.stopPropagation();
    if (key === "Tab") return close();
    if (key === "ArrowDown") setActive(active >= last ? 0 : active + 1);
    else if (key === "ArrowUp") setActive(active <= 0 ? last : active - 1);
    else if (key === "Home") setActive(0);
    else if (key === "End") setActive(last);
    else if (key === "Escape") close();
    else if (key === "Enter" || key === " ") pick(active);
    else if (key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) typeahead(key);
    else return undefined;
    event.preventDefault();
    return undefined;
  }

  function place() {
    if (!anchor.isConnected) return close(false);
    const at = anchor.getBoundingClientRect();
    list.style.minWidth = `${Math.min(at.width, window.innerWidth - 2 * MARGIN)}px`;
    list.style.maxHeight = "none";
    const size = list.getBoundingClientRect();
    const below = window.innerHeight - at.bottom - GAP - MARGIN;
    const above = at.top - GAP - MARGIN;
    const upward = size.height > below && above > below;
    const height = Math.min(size.height, Math.max(upward ? above : below, 120));
    list.style.maxHeight = `${height}px`;
    list.style.top = `${upward ? at.top - GAP - height : at.bottom + GAP}px`;
    const room = window.innerWidth - size.width - MARGIN;
    list.style.left = `${Math.max(MARGIN, Math.min(at.left, room))}px`;
    return undefined;
  }

  const listen = (target, type, handler, more = {}) =>
    target.addEventListener(type, handler, { signal: stop.signal, ...more });
  // Beside its anchor, so that it lies inside the same dialog and is not inert there.
  anchor.after(list);
  list.showPopover();
  anchor.setAttribute("aria-expanded", "true");
  anchor.setAttribute("aria-controls", list.id);
  place();
  listen(list, "keydown", onKey);
  listen(window, "resize", place);
  listen(document, "scroll", (event) => event.target !== list && place(), { capture: true });
  listen(
    document,
    "pointerdown",
    (event) => {
      if (!list.contains(event.target) && !anchor.contains(event.target)) close(false);
    },
    { capture: true },
  );
  setActive(
    Math.max(
      0,
      items.findIndex((item) => item.selected),
    ),
  );
  list.focus({ preventScroll: true });
  return close;
}
