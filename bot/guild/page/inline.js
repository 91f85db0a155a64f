// What stands within a line of Discord's markdown, to DOM nodes.
//
// Whatever a sender's text was not escaped from becomes here what it becomes in Discord: a
// mention, a link, bold. So a mistake of escaping is seen, not hidden.

import { el } from "./dom.js";
import { stamp } from "./moments.js";
import { emoji, safeString, safeText } from "./text.js";

const WORD = /[\p{L}\p{N}_]/u;
const SPACE = /\s/;
const ESCAPED = /[^0-9A-Za-z\s]/;
const DEEPEST = 12; // formatting inside formatting; bounds the work on hostile text
const SAFE = new Set(["http:", "https:", "mailto:"]);
const URL_AT = /https?:\/\/[^\s<]+[^\s<.,:;"'\]]/iy;
const SHORT_NAME = /:([a-z0-9_+-]{1,40}):/y;
const EVERYONE = /@(?:everyone|here)/y;
const FENCE = /```(?:([\w+.-]{1,20})\n)?\n*([^]*?[^])\n*```/y;
const ANGLES = [
  [/<@!?(\d{1,25})>/y, ([, id], { people }) => userMention(id, people)],
  [/<@&(\d{1,25})>/y, ([, id], { people }) => mention(`@${people.roleName(id)}`)],
  [/<#(\d{1,25})>/y, ([, id], { people }) => mention(`#${people.channelName(id)}`)],
  [/<\/([\w -]{1,100}):\d{1,25}>/y, ([, name]) => mention(`/${name}`)],
  [/<id:(\w{1,30})>/y, ([, name]) => mention(`#${name}`)],
  [/<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/y, ([, at, style]) => stamp(at, style)],
  [/<a?:(\w{2,32}):\d{1,25}>/y, ([, name]) => el("span", { class: "emoji-name" }, `:${name}:`)],
  [/<(https?:\/\/[^\s<>]+)>/iy, ([, url]) => link(url, [safeText(url)])],
  [/<((?:mailto:)?[^\s<>@:]+@[^\s<>@]+\.[a-z]+)>/iy, ([, to]) => mail(to)],
];

/** A match of a sticky expression at `at`, or null. */
function matchAt(expression, text, at) {
  expression.lastIndex = at;
  return expression.exec(text);
}

function mention(words, loud = false) {
  return el("span", { class: `mention${loud ? " own" : ""}` }, safeText(words));
}

const userMention = (id, people) => mention(`@${people.userName(id)}`, id === people.me);

function mail(address) {
  const to = address.replace(/^mailto:/i, "");
  return link(`mailto:${to}`, [safeText(to)]);
}

/** An anchor around `children`; null for what no anchor may lead to. */
export function link(url, children) {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    return null; // not an address: it stays the text it is
  }
  if (!SAFE.has(parsed.protocol)) return null;
  const attrs = { class: "link", href: parsed.href, title: safeString(url), target: "_blank" };
  return el("a", { ...attrs, rel: "noopener noreferrer" }, ...children);
}

/** Where emphasis whose text starts at `from` ends, or -1. A backslash guards what follows it. */
function closing(text, from, mark) {
  const single = mark.length === 1;
  if (single && SPACE.test(text[from] ?? " ")) return -1;
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === "\\") {
      i += 1;
    } else if (single && text[i] === mark && text[i + 1] === mark) {
      i += 1; // two marks are the stronger emphasis, inside this one
    } else if (i > from && text.startsWith(mark, i) && text[i + mark.length] !== mark[0]) {
      if (mark === "_" && WORD.test(text[i + 1] ?? " ")) continue;
      if (mark === "*" && SPACE.test(text[i - 1])) continue;
      return i;
    }
  }
  return -1;
}

function spoiler(children) {
  const node = el("span", {
    class: "spoiler",
    role: "button",
    tabindex: "0",
    "aria-label": "Spoiler: press to show",
    "aria-expanded": "false",
  });
  const hidden = el("span", { class: "spoiler-text", "aria-hidden": "true" }, ...children);
  const show = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    if (node.classList.contains("shown")) return;
    event.preventDefault();
    node.classList.add("shown");
    for (const name of ["role", "tabindex", "aria-label", "aria-expanded"])
      node.removeAttribute(name);
    hidden.removeAttribute("aria-hidden");
  };
  node.addEventListener("click", show);
  node.addEventListener("keydown", show);
  node.append(hidden);
  return node;
}

const EMPHASIS = [
  ["**", (children) => el("strong", {}, ...children)],
  ["__", (children) => el("u", {}, ...children)],
  ["~~", (children) => el("s", {}, ...children)],
  ["||", spoiler],
  ["*", (children) => el("em", {}, ...children)],
  ["_", (children) => el("em", {}, ...children)],
];

function emphasis(text, at, context) {
  for (const [mark, make] of EMPHASIS) {
    if (!text.startsWith(mark, at)) continue;
    if (mark === "_" && at > 0 && WORD.test(text[at - 1])) continue;
    const from = at + mark.length;
    const end = closing(text, from, mark);
    if (end < 0) continue;
    const children = inline(text.slice(from, end), { ...context, depth: context.depth + 1 });
    return { node: make(children), to: end + mark.length };
  }
  return null;
}

/** Code in a line, or a block of it; inside, nothing is anything but text. */
function code(text, at) {
  const fence = matchAt(FENCE, text, at);
  if (fence && fence[2].trim()) {
    const node = el("pre", { tabindex: "0" }, el("code", {}, safeText(fence[2])));
    return { node, to: at + fence[0].length };
  }
  let size = 1;
  while (text[at + size] === "`") size += 1;
  const ticks = "`".repeat(size);
  for (let end = text.indexOf(ticks, at + size); end > 0; end = text.indexOf(ticks, end)) {
    let run = size;
    while (text[end + run] === "`") run += 1;
    if (run === size) {
      const inner = text.slice(at + size, end);
      // A space keeps a tick apart from the ticks around it, and is not of the text.
      const trimmed = inner.replace(/^ (?=`)|(?<=`) $/g, "");
      return { node: el("code", {}, safeText(trimmed)), to: end + size };
    }
    end += run;
  }
  return { node: safeText(ticks), to: at + size };
}

/** Where the bracket opened at `at` closes, or -1. */
function bracketEnd(text, at, open, close) {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === open) depth += 1;
    else if (text[i] === close) {
      depth -= 1;
      if (depth === 0) return i;
    }
  }
  return -1;
}

/** `[label](address "title")`. */
function maskedLink(text, at, context) {
  const labelEnd = bracketEnd(text, at, "[", "]");
  if (labelEnd < 0 || text[labelEnd + 1] !== "(") return null;
  const end = bracketEnd(text, labelEnd + 1, "(", ")");
  if (end < 0) return null;
  const target = /^\s*<?(https?:\/\/[^\s<>]+?)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*$/i.exec(
    text.slice(labelEnd + 2, end),
  );
  const label = text.slice(at + 1, labelEnd);
  if (!target || !label.trim()) return null;
  const children = inline(label, { ...context, linked: true, depth: context.depth + 1 });
  const node = link(target[1], children);
  return node && { node, to: end + 1 };
}

/** A bare address, without a bracket after it that it did not open. */
function bareLink(text, at) {
  const match = matchAt(URL_AT, text, at);
  if (!match) return null;
  let url = match[0];
  const count = (char) => url.split(char).length - 1;
  while (url.endsWith(")") && count(")") > count("(")) url = url.slice(0, -1);
  const node = link(url, [safeText(url)]);
  return node && { node, to: at + url.length };
}

function angle(text, at, context) {
  for (const [expression, make] of ANGLES) {
    const match = matchAt(expression, text, at);
    const node = match && make(match, context);
    if (node) return { node, to: at + match[0].length };
  }
  return null;
}

/** What starts at `at` and is more than text: `{node, to}`, or null. */
function special(text, at, context) {
  const char = text[at];
  if (char === "`") return code(text, at);
  if (char === "<") return angle(text, at, context);
  if (char === "@") {
    const match = matchAt(EVERYONE, text, at);
    return match && { node: mention(match[0], true), to: at + match[0].length };
  }
  if (char === ":") {
    const match = matchAt(SHORT_NAME, text, at);
    const shown = match && emoji(match[1]);
    return shown ? { node: safeText(shown), to: at + match[0].length } : null;
  }
  if (context.depth >= DEEPEST) return null;
  if (char === "[" && !context.linked) return maskedLink(text, at, context);
  if ((char === "h" || char === "H") && !context.linked) return bareLink(text, at);
  return "*_~|".includes(char) ? emphasis(text, at, context) : null;
}

/** The nodes of a text that may span lines. `context`: `people`, `depth`, `linked`. */
export function inline(text, context) {
  const nodes = [];
  let run = "";
  const flush = () => {
    if (run) nodes.push(safeText(run));
    run = "";
  };
  for (let i = 0; i < text.length;) {
    if (text[i] === "\\" && ESCAPED.test(text[i + 1] ?? " ")) {
      const escaped = String.fromCodePoint(text.codePointAt(i + 1));
      run += escaped;
      i += 1 + escaped.length;
      continue;
    }
    const found = special(text, i, context);
    if (found) {
      flush();
      nodes.push(found.node);
      i = found.to;
    } else {
      run += text[i];
      i += 1;
    }
  }
  flush();
  return nodes;
}
