// Text from anyone: characters that hide, reorder or control are shown by their number.

import { el } from "./dom.js";

// Controls, soft hyphen, bidirectional marks and overrides, zero-width characters, blank
// fillers, tags, and lone surrogates. Tab and newline stay.
const HIDDEN =
  /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u061C\u115F\u1160\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164\uFEFF\uFFA0\uFFF9-\uFFFB\u{E0000}-\u{E007F}]|\p{Cs}/gu;
// Alternatives, not one class: a Chromium of 2026 misses astral characters in such a class before $.
const EMOJI_END = /(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\uFE0F)$/u;
const EMOJI_START = /^\p{Extended_Pictographic}/u;

function joinsEmoji(text, at) {
  return (
    EMOJI_END.test(text.slice(Math.max(0, at - 2), at)) && EMOJI_START.test(text.slice(at + 1))
  );
}

/** Split into `[{text}|{code, count}]`: readable runs, and hidden characters by number. */
export function pieces(value) {
  const text = String(value ?? "").replace(/\r\n/g, "\n");
  const out = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match[0] === "\u200D" && joinsEmoji(text, match.index)) continue;
    if (match.index > from) out.push({ text: text.slice(from, match.index) });
    const code = `U+${match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    const last = out.at(-1);
    if (last?.code === code) last.count += 1;
    else out.push({ code, count: 1 });
    from = match.index + match[0].length;
  }
  if (from < text.length) out.push({ text: text.slice(from) });
  return out;
}

/** One isolated run of text as a `<bdi>`, hidden characters as chips. */
export function safeText(value) {
  const node = document.createElement("bdi");
  for (const piece of pieces(value)) {
    if (piece.text !== undefined) {
      node.append(piece.text);
      continue;
    }
    const many = piece.count > 1 ? ` ×${piece.count}` : "";
    node.append(
      el(
        "span",
        { class: "codepoint", title: "A character that would not be visible" },
        piece.code + many,
      ),
    );
  }
  return node;
}

/** The same for places that take a plain string: attributes and native options. */
export function safeString(value) {
  return pieces(value)
    .map((piece) => piece.text ?? `[${piece.code}${piece.count > 1 ? ` ×${piece.count}` : ""}]`)
    .join("");
}

// The short names the bot and people use most; an unknown name stays as typed.
const EMOJI = {
  rotating_light: "🚨",
  warning: "⚠️",
  white_check_mark: "✅",
  heavy_check_mark: "✔️",
  x: "❌",
  no_entry: "⛔",
  no_entry_sign: "🚫",
  octagonal_sign: "🛑",
  stop_sign: "🛑",
  lock: "🔒",
  unlock: "🔓",
  closed_lock_with_key: "🔐",
  key: "🔑",
  shield: "🛡️",
  bell: "🔔",
  no_bell: "🔕",
  mag: "🔍",
  mag_right: "🔎",
  email: "📧",
  envelope: "✉️",
  incoming_envelope: "📨",
  outbox_tray: "📤",
  inbox_tray: "📥",
  mailbox: "📫",
  package: "📦",
  wastebasket: "🗑️",
  arrows_counterclockwise: "🔄",
  leftwards_arrow_with_hook: "↩️",
  rewind: "⏪",
  hourglass: "⌛",
  hourglass_flowing_sand: "⏳",
  stopwatch: "⏱️",
  clock3: "🕒",
  alarm_clock: "⏰",
  zzz: "💤",
  eyes: "👀",
  bulb: "💡",
  memo: "📝",
  clipboard: "📋",
  page_facing_up: "📄",
  bar_chart: "📊",
  chart_with_upwards_trend: "📈",
  chart_with_downwards_trend: "📉",
  information_source: "ℹ️",
  question: "❓",
  exclamation: "❗",
  fire: "🔥",
  skull: "💀",
  robot_face: "🤖",
  busts_in_silhouette: "👥",
  bust_in_silhouette: "👤",
  globe_with_meridians: "🌐",
  red_circle: "🔴",
  large_orange_circle: "🟠",
  large_yellow_circle: "🟡",
  large_green_circle: "🟢",
  large_blue_circle: "🔵",
  white_circle: "⚪",
  black_circle: "⚫",
  link: "🔗",
  wave: "👋",
  tada: "🎉",
  "+1": "👍",
  thumbsup: "👍",
  "-1": "👎",
  thumbsdown: "👎",
  bow: "🙇",
  hammer_and_wrench: "🛠️",
  wrench: "🔧",
  gear: "⚙️",
  satellite: "📡",
  fast_forward: "⏩",
};
const SHORT_NAME = /:([a-z0-9_+-]{1,40}):/g;

/** The character of an emoji's short name, or null. */
export function emoji(name) {
  return Object.hasOwn(EMOJI, name) ? EMOJI[name] : null;
}

/** Replace the short names we know, `:warning:` to its character. */
export function withEmoji(text) {
  return String(text ?? "").replace(SHORT_NAME, (whole, name) => emoji(name) ?? whole);
}

/** The text object of Block Kit of type plain_text, as a node. */
export function plain(object) {
  return safeText(plainValue(object));
}

/** The same as a string, for attributes. */
export function plainString(object) {
  return safeString(plainValue(object));
}

function plainValue(object) {
  const text = typeof object === "string" ? object : (object?.text ?? "");
  return object?.emoji === false ? text : withEmoji(text);
}
