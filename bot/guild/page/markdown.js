// Discord's markdown to DOM nodes: the kinds of line. What stands within them is inline.js.

import { el } from "./dom.js";
import { inline } from "./inline.js";

const HEADING = /^(#{1,3}) +(\S.*)$/;
const SMALL = /^-# +(\S.*)$/;
const ITEM = /^( *)([-*]|\d{1,9}\.) +(\S.*)$/;
const MORE_OF_ITEM = /^ {2,}\S/;
const QUOTE = /^> /;
const NESTED = 2; // spaces of indent that put an item below the one before

/** The end of the line at `at`; a block of code that starts in it belongs to it as a whole. */
function lineEnd(text, at) {
  const end = (from) => {
    const found = text.indexOf("\n", from);
    return found < 0 ? text.length : found;
  };
  let stop = end(at);
  for (let fence = text.indexOf("```", at); fence >= 0 && fence < stop;) {
    const close = text[fence - 1] === "\\" ? fence : text.indexOf("```", fence + 3);
    if (close < 0) break;
    stop = Math.max(stop, end(close));
    fence = text.indexOf("```", close + 3);
  }
  return stop;
}

function linesOf(text) {
  const lines = [];
  for (let at = 0; at <= text.length;) {
    const end = lineEnd(text, at);
    lines.push(text.slice(at, end));
    at = end + 1;
  }
  return lines;
}

/** The list that starts at `lines[at]`: `{node, to}`. */
function list(lines, at, context) {
  const [, indent, mark] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(mark);
  const start = ordered ? Number.parseInt(mark, 10) : null;
  const node = el(ordered ? "ol" : "ul", { start: start > 1 ? start : null });
  let words = [];
  let inner = [];
  const flush = () => {
    if (words.length)
      node.append(el("li", {}, ...inline(words.join("\n"), context), ...inner));
    words = [];
    inner = [];
  };
  let i = at;
  while (i < lines.length) {
    const item = ITEM.exec(lines[i]);
    const depth = item ? item[1].length - indent.length : null;
    if (item && depth >= NESTED && words.length && context.depth < 8) {
      const below = list(lines, i, { ...context, depth: context.depth + 1 });
      inner.push(below.node);
      i = below.to;
    } else if (item && depth > -NESTED && /\d/.test(item[2]) === ordered) {
      flush();
      words = [item[3]];
      i += 1;
    } else if (!item && MORE_OF_ITEM.test(lines[i])) {
      words.push(lines[i].trim());
      i += 1;
    } else {
      break;
    }
  }
  flush();
  return { node, to: i };
}

function blocks(lines, context, out) {
  let paragraph = [];
  const flush = () => {
    const text = paragraph.join("\n");
    if (text) out.append(el("div", { class: "para" }, ...inline(text, context)));
    paragraph = [];
  };
  const put = (node) => {
    flush();
    out.append(node);
  };
  const quoted = (inner) => {
    const node = el("blockquote", {});
    blocks(linesOf(inner.join("\n")), { ...context, quoted: true }, node);
    put(node);
  };
  for (let i = 0; i < lines.length;) {
    const line = lines[i];
    const heading = HEADING.exec(line);
    const small = SMALL.exec(line);
    if (!context.quoted && line.startsWith(">>> ")) {
      return quoted([line.slice(4), ...lines.slice(i + 1)]);
    }
    if (!context.quoted && QUOTE.test(line)) {
      const from = i;
      while (i < lines.length && QUOTE.test(lines[i])) i += 1;
      quoted(lines.slice(from, i).map((one) => one.slice(2)));
      continue;
    }
    if (heading) {
      // One level down: the page's own heading is the channel's name.
      const level = heading[1].length;
      put(el(`h${level + 1}`, { class: `md-h${level}` }, ...inline(heading[2], context)));
    } else if (small) {
      put(el("div", { class: "md-small" }, ...inline(small[1], context)));
    } else if (ITEM.test(line)) {
      const found = list(lines, i, context);
      put(found.node);
      i = found.to;
      continue;
    } else {
      paragraph.push(line);
    }
    i += 1;
  }
  return flush();
}

/** The whole of a text as a fragment. `people` names users, roles and channels. */
export function markdown(value, people) {
  const text = String(value ?? "").replace(/\r\n?/g, "\n");
  const out = document.createDocumentFragment();
  blocks(linesOf(text.replace(/\n+$/, "")), { people, depth: 0 }, out);
  return out;
}
