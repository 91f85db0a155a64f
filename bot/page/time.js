// Moments in the browser's own locale and time zone.

import { el } from "./dom.js";

export const format = (options) => new Intl.DateTimeFormat(undefined, options);
const CLOCK = format({ timeStyle: "short" });
const FULL = format({ dateStyle: "full", timeStyle: "long" });
const DAY = format({ weekday: "long", month: "long", day: "numeric" });
const DAY_YEAR = format({ year: "numeric", month: "long", day: "numeric" });
const SHORT = format({ year: "numeric", month: "short", day: "numeric" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const DAY_MS = 86_400_000;

export const clock = (date) => CLOCK.format(date);
export const full = (date) => FULL.format(date);

/** A key that is equal for moments of the same local day. */
export function dayKey(date) {
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

function daysAgo(date) {
  const midnight = (d) => Date.UTC(d.getFullYear(), d.getMonth(), d.getDate());
  return Math.round((midnight(new Date()) - midnight(date)) / DAY_MS);
}

/** "today", "yesterday", or null for other days. */
export function near(date) {
  const days = daysAgo(date);
  return days >= -1 && days <= 1 ? RELATIVE.format(-days, "day") : null;
}

const capital = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

/** The heading between two days of a channel. */
export function dayHeading(date) {
  const word = near(date);
  if (word) return capital(word);
  return date.getFullYear() === new Date().getFullYear() ? DAY.format(date) : DAY_YEAR.format(date);
}

/** "today at 03:12", for a line of text. */
export function dayAndClock(date) {
  return `${near(date) ?? SHORT.format(date)} at ${clock(date)}`;
}

/** "3 minutes ago", "in 2 hours". */
export function ago(date) {
  const seconds = (date.getTime() - Date.now()) / 1000;
  for (const [unit, size] of [
    ["year", 31_536_000],
    ["month", 2_592_000],
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ]) {
    if (Math.abs(seconds) >= size) return RELATIVE.format(Math.trunc(seconds / size), unit);
  }
  return RELATIVE.format(Math.trunc(seconds), "second");
}

/** The time of a message, with the full moment on hover. */
export function timeNode(date) {
  return el(
    "time",
    { class: "time", datetime: date.toISOString(), title: full(date) },
    clock(date),
  );
}
