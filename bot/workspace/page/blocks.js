// The blocks of Block Kit ("Blocks") as DOM, and their update in place.

import { element, textObject } from "./elements.js";
import { freshId } from "./dialog.js";
import { el, icon, keepFocus, reconcile } from "./dom.js";
import { richText } from "./richtext.js";
import { plain, safeString, safeText } from "./text.js";

/** An address the page may load an image from: its own, or image data. Else null. */
export function imageSource(url, host) {
  let parsed;
  try {
    parsed = new URL(url, location.href);
  } catch {
    return null; // not an address: the caller says so
  }
  if (parsed.origin === location.origin) return host.withToken(parsed);
  return /^data:image\/(?:png|gif|jpeg|webp);/.test(url) ? url : null;
}

function picture(spec, host, cls) {
  const address = spec.image_url ?? spec.slack_file?.url ?? host.fileUrl(spec.slack_file?.id);
  const source = address ? imageSource(address, host) : null;
  if (!source)
    return el("span", { class: "unsupported" }, "Image not loaded: ", safeText(spec.alt_text));
  return el("img", { class: cls, src: source, alt: safeString(spec.alt_text ?? "") });
}

function accessory(spec, block, host) {
  if (spec.type === "image") return picture(spec, host, "thumb");
  return element(spec, { block_id: block.block_id, action_id: spec.action_id }, host);
}

function section(block, host) {
  const words = el("div", { class: "section-text" });
  if (block.text) words.append(el("div", {}, textObject(block.text, host.people)));
  if (block.fields?.length) {
    const cells = block.fields.map((cell) =>
      el("div", { class: "cell" }, textObject(cell, host.people)),
    );
    words.append(el("div", { class: "fields" }, ...cells));
  }
  const side = block.accessory
    ? el("div", { class: "accessory" }, accessory(block.accessory, block, host))
    : null;
  return el("div", { class: "section" }, words, side);
}

function context(block, host) {
  const parts = (block.elements ?? []).map((item) =>
    item.type === "image"
      ? picture(item, host, "context-image")
      : el("span", { class: "context-text" }, textObject(item, host.people)),
  );
  return el("div", { class: "context" }, ...parts);
}

function actions(block, host) {
  const row = el("div", { class: "actions" });
  const kept = new Map();
  const show = (next) =>
    reconcile(
      row,
      kept,
      (next.elements ?? []).map((spec, index) => ({
        key: spec.action_id ?? `#${index}`,
        sig: JSON.stringify(spec),
        make: () => ({
          node: element(spec, { block_id: next.block_id, action_id: spec.action_id }, host),
        }),
      })),
    );
  show(block);
  return { node: row, patch: show };
}

function image(block, host) {
  const title = block.title ? el("figcaption", {}, plain(block.title)) : null;
  return el("figure", { class: "image" }, title, picture(block, host, "picture"));
}

function input(block, host) {
  const ref = { block_id: block.block_id, action_id: block.element.action_id };
  const labelId = freshId("label");
  const hintId = freshId("hint");
  const errorId = freshId("error");
  const control = element(block.element, ref, host, block);
  const target = control.matches("input, textarea, [role]")
    ? control
    : (control.querySelector("input, textarea, button") ?? control);
  const labelled = target.matches("button") && target.querySelector(".select-label");
  if (labelled) labelled.id = freshId("value");
  target.setAttribute("aria-labelledby", labelled ? `${labelId} ${labelled.id}` : labelId);
  target.setAttribute("aria-describedby", `${hintId} ${errorId}`);
  if (!block.optional && !target.matches("button, [role=group]"))
    target.setAttribute("aria-required", "true");
  const optional = block.optional ? el("span", { class: "optional" }, " (optional)") : null;
  const label = el("label", { class: "input-label", id: labelId }, plain(block.label), optional);
  if (target.matches("input, textarea")) {
    target.id = freshId("field");
    label.setAttribute("for", target.id);
  }
  const hint = el("div", { class: "input-hint", id: hintId }, block.hint ? plain(block.hint) : "");
  const error = el("div", { class: "input-error", id: errorId });
  const box = el(
    "div",
    { class: "input", data: { input: block.block_id } },
    label,
    control,
    error,
    hint,
  );
  return { node: box };
}

function table(block, host) {
  const settings = block.column_settings ?? [];
  const cell = (item, tag, column) => {
    const align = ["right", "center"].includes(settings[column]?.align)
      ? settings[column].align
      : "left";
    const inside = item.type === "rich_text" ? richText(item, host.people) : safeText(item.text);
    return el(tag, { class: `align-${align}`, scope: tag === "th" ? "col" : null }, inside);
  };
  const rows = (block.rows ?? []).map((row, index) =>
    el("tr", {}, ...row.map((item, column) => cell(item, index === 0 ? "th" : "td", column))),
  );
  const inner = el(
    "table",
    {},
    el("thead", {}, ...rows.slice(0, 1)),
    el("tbody", {}, ...rows.slice(1)),
  );
  return el("div", { class: "table", role: "region", tabindex: "0", "aria-label": "Table" }, inner);
}

const MAKERS = {
  header: (block) => el("h3", { class: "header" }, plain(block.text)),
  divider: () => el("hr", { class: "divider" }),
  section,
  context,
  actions,
  image,
  input,
  table,
  rich_text: (block, host) => richText(block, host.people),
};

function make(block, host) {
  const made =
    MAKERS[block.type]?.(block, host) ??
    el("div", { class: "unsupported" }, safeText(`[${block.type}]`));
  const inner = made instanceof Node ? { node: made } : made;
  const error = el("div", { class: "press-error" });
  const node = el(
    "div",
    {
      class: `block block-${MAKERS[block.type] ? block.type : "other"}`,
      data: { block: block.block_id },
    },
    inner.node,
    error,
  );
  const type = block.type;
  const patch = inner.patch && ((next) => (next.type === type ? inner.patch(next) : false));
  return { node, patch };
}

/** What went wrong, read out as it appears. */
export function trouble(text) {
  return el("div", { class: "trouble", role: "alert" }, icon("warning"), safeText(text));
}

/** A list of blocks under one root, updated in place by their block_id. */
export class Blocks {
  /** `host` as in elements.js, without `fail`, which is set here. */
  constructor(host) {
    this.root = el("div", { class: "blocks", tabindex: "-1" });
    this.host = Object.assign(Object.create(host), { fail: (ref, text) => this.fail(ref, text) });
    this.kept = new Map();
  }

  /** Show these blocks; unchanged ones keep their nodes, the focus keeps its control. */
  show(blocks) {
    const seen = new Map();
    const items = blocks.map((block, index) => {
      const id = block.block_id ?? `#${index}`;
      const again = seen.get(id) ?? 0;
      seen.set(id, again + 1);
      const key = again ? `${id}~${again}` : id;
      return { key, sig: JSON.stringify(block), data: block, make: () => make(block, this.host) };
    });
    keepFocus(this.root, () => reconcile(this.root, this.kept, items));
  }

  /** Say under a block that using it failed; null clears. */
  fail(ref, text) {
    const node = this.kept.get(ref.block_id)?.node.querySelector(":scope > .press-error");
    if (!node) return;
    node.replaceChildren(...(text ? [trouble(text)] : []));
  }
}
