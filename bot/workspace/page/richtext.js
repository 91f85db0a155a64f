// The rich_text block ("Rich text block"): text that is never parsed, only styled.

import { dateNode } from "./dates.js";
import { el } from "./dom.js";
import { broadcast, channelMention, code, groupMention, link, userMention } from "./mrkdwn.js";
import { emoji, safeText } from "./text.js";

const COLOR = /^#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i;

function emojiText(item) {
  const points = String(item.unicode ?? "")
    .split("-")
    .map((hex) => Number.parseInt(hex, 16));
  if (points.length && points.every((point) => point > 0 && point <= 0x10ffff)) {
    return String.fromCodePoint(...points);
  }
  return emoji(item.name) ?? `:${item.name}:`;
}

function swatch(value) {
  const box = el("span", { class: "swatch", "aria-hidden": "true" });
  if (COLOR.test(value)) box.style.backgroundColor = value;
  return el("span", { class: "color" }, box, safeText(value));
}

function dated(item) {
  const node = dateNode(item.timestamp, item.format, item.fallback);
  const anchor = item.url ? link(item.url, "") : null;
  if (!anchor) return node;
  anchor.replaceChildren(node);
  return anchor;
}

function leaf(item, people) {
  switch (item.type) {
    case "text":
      return safeText(item.text);
    case "link":
      return link(item.url, item.text) ?? safeText(item.text || item.url);
    case "user":
      return userMention(item.user_id, people);
    case "usergroup":
      return groupMention(item.usergroup_id, "");
    case "channel":
      return channelMention(item.channel_id, people);
    case "broadcast":
      return broadcast(item.range);
    case "emoji":
      return safeText(emojiText(item));
    case "date":
      return dated(item);
    case "color":
      return swatch(item.value);
    default:
      return el("span", { class: "unsupported" }, safeText(`[${item.type}]`));
  }
}

function inline(item, people) {
  const style = item.style ?? {};
  let node = leaf(item, people);
  if (style.code) node = code(node);
  if (style.strike) node = el("s", {}, node);
  if (style.italic) node = el("em", {}, node);
  if (style.bold) node = el("strong", {}, node);
  return node;
}

const inlines = (element, people) => (element.elements ?? []).map((item) => inline(item, people));

function list(element, people) {
  const ordered = element.style === "ordered";
  const indent = Math.min(Math.max(Number(element.indent) || 0, 0), 8);
  const start = ordered && element.offset ? Number(element.offset) + 1 : null;
  const items = (element.elements ?? []).map((section) =>
    el("li", {}, ...inlines(section, people)),
  );
  return el(ordered ? "ol" : "ul", { class: `list indent-${indent}`, start }, ...items);
}

function part(element, people) {
  switch (element.type) {
    case "rich_text_section":
      return el("div", { class: "para" }, ...inlines(element, people));
    case "rich_text_list":
      return list(element, people);
    case "rich_text_preformatted":
      return el("pre", { tabindex: "0" }, ...inlines(element, people));
    case "rich_text_quote":
      return el("blockquote", { class: "para" }, ...inlines(element, people));
    default:
      return el("span", { class: "unsupported" }, safeText(`[${element.type}]`));
  }
}

/** A rich_text block's parts, in order. */
export function richText(block, people) {
  return el("div", { class: "rich" }, ...(block.elements ?? []).map((item) => part(item, people)));
}
