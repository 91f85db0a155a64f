// The components of a message ("Component Reference"): containers, text, sections, rows.
//
// They are made for a `host`, the message they stand in:
//   host.people                 names users, roles and channels
//   host.press(custom_id, values)  a person used one: resolves to {ok, error?}
//   host.fail(text)             say beneath the message that it went wrong; null clears
//   host.focus(custom_id)       the name its control keeps the focus by
//   host.source(media)          the address of an image or file, or null where it is not ours

import { button, select } from "./controls.js";
import { el, icon, reconcile } from "./dom.js";
import { markdown } from "./markdown.js";
import { safeString, safeText } from "./text.js";

export const TYPE = {
  ROW: 1,
  BUTTON: 2,
  STRING_SELECT: 3,
  TEXT_INPUT: 4,
  SECTION: 9,
  TEXT: 10,
  THUMBNAIL: 11,
  GALLERY: 12,
  FILE: 13,
  SEPARATOR: 14,
  CONTAINER: 17,
  LABEL: 18,
  RADIO_GROUP: 21,
  CHECKBOX_GROUP: 22,
  CHECKBOX: 23,
};

function row(spec, host) {
  return el("div", { class: "row" }, ...spec.components.map((one) => make(one, host)));
}

function section(spec, host) {
  const texts = spec.components.map((one) => make(one, host));
  return el(
    "div",
    { class: "section" },
    el("div", { class: "section-text" }, ...texts),
    el("div", { class: "section-side" }, spec.accessory ? make(spec.accessory, host) : null),
  );
}

function separator(spec) {
  const wide = spec.spacing === 2 ? " wide" : "";
  const line = spec.divider === false ? "" : " line";
  return el("div", { class: `separator${wide}${line}`, role: line ? "separator" : null });
}

/** An image of ours; anything else is named, never fetched. */
function picture(media, description, host, cls) {
  const source = host.source(media);
  const words = safeString(description ?? "");
  if (source) return el("img", { class: cls, src: source, alt: words });
  return el("span", { class: "file" }, icon("file"), safeText(words || media?.url || "Image"));
}

function gallery(spec, host) {
  const items = (spec.items ?? []).map((item) =>
    picture(item.media, item.description, host, "picture"),
  );
  return el("div", { class: "gallery" }, ...items);
}

function file(spec, host) {
  const source = host.source(spec.file);
  const name = safeText(spec.name ?? spec.file?.url ?? "File");
  if (!source) return el("span", { class: "file" }, icon("file"), name);
  const download = safeString(spec.name ?? "");
  const attrs = { class: "file", href: source, download, rel: "noopener" };
  return el("a", attrs, icon("file"), name);
}

/** The colour of a container's bar, as "#rrggbb", or null. */
function accent(color) {
  if (!Number.isInteger(color) || color < 0 || color > 0xffffff) return null;
  return `#${color.toString(16).padStart(6, "0")}`;
}

function containerNode(spec) {
  const node = el("div", { class: "container" });
  const color = accent(spec.accent_color);
  if (color) {
    node.classList.add("accented");
    node.style.setProperty("--accent-bar", color);
  }
  return node;
}

const MAKERS = {
  [TYPE.ROW]: row,
  [TYPE.BUTTON]: button,
  [TYPE.STRING_SELECT]: select,
  [TYPE.SECTION]: section,
  [TYPE.TEXT]: (spec, host) => el("div", { class: "text" }, markdown(spec.content, host.people)),
  [TYPE.THUMBNAIL]: (spec, host) => picture(spec.media, spec.description, host, "thumbnail"),
  [TYPE.GALLERY]: gallery,
  [TYPE.FILE]: file,
  [TYPE.SEPARATOR]: separator,
};

function make(spec, host) {
  const maker = MAKERS[spec.type];
  return maker
    ? maker(spec, host)
    : el("span", { class: "unsupported" }, `[component of type ${spec.type}]`);
}

/** A list of components in `root`, of which only what changed is made anew. */
export class Components {
  constructor(host, root = el("div", { class: "components" })) {
    this.host = host;
    this.root = root;
    this.kept = new Map();
  }

  show(specs) {
    reconcile(this.root, this.kept, (specs ?? []).map((spec, index) => this.item(spec, index)));
  }

  item(spec, index) {
    const key = `${index}/${spec.type}`;
    const sig = JSON.stringify(spec);
    if (spec.type !== TYPE.CONTAINER)
      return { key, sig, data: spec, make: () => ({ node: make(spec, this.host) }) };
    const makeContainer = () => {
      const node = containerNode(spec);
      const inner = new Components(this.host, node);
      inner.show(spec.components);
      const patch = (next) => {
        if (next.accent_color !== spec.accent_color) return false;
        inner.show(next.components);
        return true;
      };
      return { node, patch };
    };
    return { key, sig, data: spec, make: makeContainer };
  }
}
