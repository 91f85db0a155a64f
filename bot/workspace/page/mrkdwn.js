// Slack's mrkdwn ("Formatting text for app surfaces") to DOM nodes.
//
// Angle-bracket tokens are read even inside code: where a sender's text was not escaped, the
// mention or link it made must be seen here, not hidden by the formatting around it.

import { dateNode } from "./dates.js";
import { el } from "./dom.js";
import { emoji, safeString, safeText } from "./text.js";

const TAGS = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;
const ENTITY = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const SHORT_NAME = /^:([a-z0-9_+-]{1,40}):/;
// A drawn bar: its filled part, its empty part, and perhaps a share in percent after it.
const BAR = /^([█▉▊▋▌▍▎▏▐▓]*)([░▒ \u00A0]*)( *(?:<1|\d{1,3}) ?%)?$/;
// How far an emphasis may span: the length of a section. Bounds the work on hostile text.
const REACH = 3000;
const SAFE = new Set(["http:", "https:", "mailto:"]);

/** Undo Slack's three escapes, once. */
export function unescapeOnce(text) {
  return text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITY[entity]);
}

/** An anchor for http, https and mailto; for anything else null. */
export function link(url, label) {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    return null; // not an address: the caller shows it as text
  }
  if (!SAFE.has(parsed.protocol)) return null;
  const attrs = { class: "link", href: parsed.href, title: safeString(url), target: "_blank" };
  return el("a", { ...attrs, rel: "noopener noreferrer" }, safeText(label || url));
}

/** A mention that rings for everyone: loud on purpose. */
export function broadcast(range) {
  return el("span", { class: "mention broadcast", data: { broadcast: range } }, `@${range}`);
}

/** A person's mention; one's own stands out. */
export function userMention(id, people) {
  const own = id === people.me ? " own" : "";
  return el(
    "span",
    { class: `mention${own}`, data: { user: id } },
    "@",
    safeText(people.userName(id)),
  );
}

export function channelMention(id, people) {
  return el(
    "span",
    { class: "mention", data: { channel: id } },
    "#",
    safeText(people.channelName(id)),
  );
}

export function groupMention(id, label) {
  return el("span", { class: "mention", data: { usergroup: id } }, safeText(label || `@${id}`));
}

/** Code style. Block characters are drawn as a bar: the same characters, in its colours. */
export function code(...children) {
  const node = el("code", {}, ...children);
  const bar = BAR.exec(node.textContent);
  if (!bar || !/[█▉▊▋▌▍▎▏▐░▒▓]/.test(bar[0])) return node;
  const part = (cls, text) => el("span", { class: cls }, text ?? "");
  node.className = "meter";
  node.replaceChildren(
    part("meter-full", bar[1]),
    part("meter-rest", bar[2]),
    part("meter-share", bar[3]),
  );
  return node;
}

function angle(token, people) {
  const cut = token.indexOf("|");
  const head = cut < 0 ? token : token.slice(0, cut);
  const label = cut < 0 ? "" : unescapeOnce(token.slice(cut + 1));
  if (/^@[UW][A-Z0-9]+$/.test(head)) return userMention(head.slice(1), people);
  if (/^#[CGD][A-Z0-9]+$/.test(head)) return channelMention(head.slice(1), people);
  if (/^!(here|channel|everyone)$/.test(head)) return broadcast(head.slice(1));
  if (head.startsWith("!subteam^")) return groupMention(head.slice(9), label);
  if (head.startsWith("!date^")) {
    const [, timestamp, pattern = "", address] = head.split("^");
    const node = dateNode(timestamp, unescapeOnce(pattern), label);
    const anchor = address ? link(unescapeOnce(address), "") : null;
    if (!anchor) return node;
    anchor.replaceChildren(node);
    return anchor;
  }
  return link(unescapeOnce(head), label);
}

/** Where the emphasis opened at `at` ends, or -1. Tokens and code are stepped over. */
function closing(text, at) {
  const mark = text[at];
  const next = text[at + 1];
  if (at > 0 && (WORD.test(text[at - 1]) || text[at - 1] === mark)) return -1;
  if (next === undefined || /\s/.test(next) || next === mark) return -1;
  const stop = Math.min(text.length, at + REACH);
  for (let i = at + 1; i < stop; i += 1) {
    const char = text[i];
    if (char === "\n") return -1;
    if (char === "<" || char === "`") {
      const end = text.indexOf(char === "<" ? ">" : "`", i + 1);
      if (end > 0) i = end;
    } else if (char === mark && !/\s/.test(text[i - 1])) {
      if (text[i + 1] === undefined || !WORD.test(text[i + 1])) return i;
    }
  }
  return -1;
}

function inline(text, people, inCode = false) {
  const nodes = [];
  let run = "";
  const flush = () => {
    if (run) nodes.push(safeText(unescapeOnce(run)));
    run = "";
  };
  const put = (node, to) => {
    flush();
    nodes.push(node);
    return to;
  };
  for (let i = 0; i < text.length;) {
    const char = text[i];
    if (char === "<") {
      const end = text.indexOf(">", i + 1);
      const node = end > 0 ? angle(text.slice(i + 1, end), people) : null;
      if (node) {
        i = put(node, end + 1);
        continue;
      }
    } else if (!inCode && char === "`") {
      const end = text.indexOf("`", i + 1);
      if (end > i + 1 && !text.slice(i, end).includes("\n")) {
        i = put(code(...inline(text.slice(i + 1, end), people, true)), end + 1);
        continue;
      }
    } else if (!inCode && Object.hasOwn(TAGS, char)) {
      const end = closing(text, i);
      if (end > 0) {
        i = put(el(TAGS[char], {}, ...inline(text.slice(i + 1, end), people)), end + 1);
        continue;
      }
    } else if (!inCode && char === ":") {
      const match = SHORT_NAME.exec(text.slice(i, i + 44));
      const shown = match ? emoji(match[1]) : null;
      if (shown) {
        run += shown;
        i += match[0].length;
        continue;
      }
    }
    run += char;
    i += 1;
  }
  flush();
  return nodes;
}

function paragraphs(text, people, out) {
  const quote = /^(?:>|&gt;) ?/;
  let lines = [];
  let quoted = false;
  const flush = () => {
    if (!lines.length) return;
    const tag = quoted ? "blockquote" : "div";
    out.append(el(tag, { class: "para" }, ...inline(lines.join("\n"), people)));
    lines = [];
  };
  for (const line of text.split("\n")) {
    const isQuote = quote.test(line);
    if (isQuote !== quoted) flush();
    quoted = isQuote;
    lines.push(isQuote ? line.replace(quote, "") : line);
  }
  flush();
}

/** The whole of a mrkdwn text as a fragment of paragraphs, quotes and preformatted text. */
export function mrkdwn(value, people) {
  const text = String(value ?? "").replace(/\r\n/g, "\n");
  const out = document.createDocumentFragment();
  const fence = /```\n?([\s\S]+?)\n?```/g;
  let from = 0;
  for (const match of text.matchAll(fence)) {
    const before = text.slice(from, match.index).replace(/\n$/, "");
    if (before) paragraphs(before, people, out);
    out.append(el("pre", { tabindex: "0" }, ...inline(match[1], people, true)));
    from = match.index + match[0].length;
  }
  const rest = from ? text.slice(from).replace(/^\n/, "") : text;
  if (rest) paragraphs(rest, people, out);
  return out;
}
