// Discord's moments: when something was said, and the timestamps inside a text.

import { el } from "./dom.js";
import { ago, clock, dayAndClock, format, full } from "./time.js";

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};
const WRITERS = Object.fromEntries(
  Object.entries(STYLES).map(([style, options]) => [style, format(options)]),
);
const EVERY_MS = 10_000;

/** The moment of a message, a Date. */
export const moment = (iso) => new Date(iso);

/** "Today at 03:12". */
export function saidAt(date) {
  const words = dayAndClock(date);
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}

/** When a message was said: all of it, or only the clock where it stands in the margin. */
export function timeNode(date, short = false) {
  const attrs = { class: "time", datetime: date.toISOString(), title: full(date) };
  return el("time", attrs, short ? clock(date) : saidAt(date));
}

/** A timestamp in a text, in the reader's own zone; null where there is no such moment. */
export function stamp(seconds, style = "f") {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return null;
  const relative = style === "R";
  const attrs = {
    class: "stamp",
    datetime: date.toISOString(),
    title: full(date),
    data: relative ? { relative: "" } : {},
  };
  return el("time", attrs, relative ? ago(date) : WRITERS[style].format(date));
}

/** Keep "3 minutes ago" true for as long as the page is open. */
export function keepRelative(root) {
  setInterval(() => {
    for (const node of root.querySelectorAll("time[data-relative]")) {
      const words = ago(new Date(node.dateTime));
      if (node.textContent !== words) node.textContent = words;
    }
  }, EVERY_MS);
}
