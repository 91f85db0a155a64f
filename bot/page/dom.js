// Building DOM, and keeping what has not changed. Data enters as text nodes and
// attributes only: no markup is ever parsed from a string.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. `attrs`: `class`, `on` (listeners), `data` (dataset), any attribute;
 * null, undefined and false leave an attribute out, true sets it empty.
 */
export function el(tag, attrs = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    } else if (name === "data") {
      Object.assign(node.dataset, value);
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const PATHS = {
  close: "M4 4l8 8M12 4l-8 8",
  chevron: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  back: "M10 4l-4 4 4 4",
  dots: "M8 3.2v.1M8 8v.1M8 12.7v.1",
  send: "M2.5 8h10M8.5 3.5L13 8l-4.5 4.5",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  down: "M8 3v9M4 8.5L8 12.5l4-4",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 110 3.6 1.8 1.8 0 010-3.6z",
  check: "M3 8.5l3.2 3.2L13 5",
  warning: "M8 2.2l6.3 11H1.7L8 2.2zM8 6.5v3M8 11.4v.1",
  file: "M4 1.8h5l3 3v9.4H4V1.8zM9 1.8v3h3",
  thread: "M2.5 3.5h11v7.5H7l-3 2.5V11H2.5z",
  hash: "M6.4 2.5L5 13.5M11 2.5L9.6 13.5M2.8 5.8h10.8M2.4 10.2h10.8",
  out: "M9.5 2.5h4v4M13.5 2.5L7.5 8.5M12 9.5v3.5H3V4h3.5",
  spark:
    "M8 2v3M8 11v3M2 8h3M11 8h3M4.2 4.2l1.6 1.6M10.2 10.2l1.6 1.6M11.8 4.2l-1.6 1.6M5.8 10.2l-1.6 1.6",
};

/** A 16 px line icon by name; hidden from assistive technology, so name the control itself. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * Make `parent`'s children those of `items`, reusing nodes. `kept` maps a key to
 * `{sig, node, patch?}` from the last call. An item is `{key, sig, make, data}`; an entry
 * with the same `sig` is left untouched, one with `patch` is patched with `data` (unless
 * `patch` returns false), others are made anew. Nodes in place are never moved: moving a
 * node would take the focus from what is inside it.
 */
export function reconcile(parent, kept, items) {
  const wanted = new Set(items.map((item) => item.key));
  for (const [key, entry] of kept) {
    if (!wanted.has(key)) {
      entry.node.remove();
      kept.delete(key);
    }
  }
  let cursor = parent.firstChild;
  for (const item of items) {
    const entry = kept.get(item.key);
    let node = entry?.node;
    if (!entry) {
      const made = item.make();
      kept.set(item.key, { sig: item.sig, ...made });
      node = made.node;
    } else if (entry.sig !== item.sig) {
      if (entry.patch && entry.patch(item.data) !== false) {
        entry.sig = item.sig;
      } else {
        const made = item.make();
        if (cursor === entry.node) cursor = made.node;
        entry.node.replaceWith(made.node);
        kept.set(item.key, { sig: item.sig, ...made });
        node = made.node;
      }
    }
    if (node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
  }
}

/** Find a control again after its node was replaced, by the name it carries in data-focus. */
export function byFocusName(root, name) {
  for (const node of root.querySelectorAll("[data-focus]")) {
    if (node.dataset.focus === name) return node;
  }
  return null;
}

/**
 * Run `change`, then give the focus back: to the same control if it is still there, to the
 * one made in its place, or to `root` itself, so the keyboard does not fall to the page's top.
 */
export function keepFocus(root, change) {
  const before = document.activeElement;
  const inside = before && root.contains(before);
  const name = inside ? before.closest("[data-focus]")?.dataset.focus : null;
  change();
  if (!inside || before.isConnected) return;
  const again = name ? byFocusName(root, name) : null;
  (again ?? root).focus({ preventScroll: true });
}
