// Moments in the browser's own locale and time zone.

import { el } from "./dom.js";
import { safeText } from "./text.js";

const format = (options) => new Intl.DateTimeFormat(undefined, options);
const CLOCK = format({ timeStyle: "short" });
const CLOCK_SECONDS = format({ timeStyle: "medium" });
const FULL = format({ dateStyle: "full", timeStyle: "long" });
const DAY = format({ weekday: "long", month: "long", day: "numeric" });
const DAY_YEAR = format({ year: "numeric", month: "long", day: "numeric" });
const NUMERIC = format({ year: "numeric", month: "2-digit", day: "2-digit" });
const SHORT = format({ year: "numeric", month: "short", day: "numeric" });
const LONG = format({ weekday: "long", year: "numeric", month: "long", day: "numeric" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const DAY_MS = 86_400_000;

/** The moment of a message's `ts`, seconds with a fraction, as a Date. */
export function moment(ts) {
  return new Date(Number.parseFloat(ts) * 1000);
}

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
function near(date) {
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

function ago(date) {
  const seconds = (date.getTime() - Date.now()) / 1000;
  for (const [unit, size] of [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ]) {
    if (Math.abs(seconds) >= size) return RELATIVE.format(Math.trunc(seconds / size), unit);
  }
  return RELATIVE.format(Math.trunc(seconds), "second");
}

const TOKENS = {
  date_num: (d) => NUMERIC.format(d),
  date: (d) => DAY_YEAR.format(d),
  date_short: (d) => SHORT.format(d),
  date_long: (d) => LONG.format(d),
  date_pretty: (d) => near(d) ?? DAY_YEAR.format(d),
  date_short_pretty: (d) => near(d) ?? SHORT.format(d),
  date_long_pretty: (d) => near(d) ?? LONG.format(d),
  day_divider_pretty: (d) => near(d) ?? LONG.format(d),
  time: (d) => CLOCK.format(d),
  time_secs: (d) => CLOCK_SECONDS.format(d),
  ago,
};

/**
 * Slack's date formatting ("Formatting text for app surfaces": date formatting): tokens in
 * braces are filled with the moment in local time. The fallback is shown for a broken timestamp.
 */
export function dateNode(timestamp, pattern, fallback) {
  const date = new Date(Number(timestamp) * 1000);
  if (Number.isNaN(date.getTime())) return safeText(fallback || pattern);
  const text = String(pattern).replace(/\{([a-z_]+)\}/g, (whole, name) =>
    Object.hasOwn(TOKENS, name) ? TOKENS[name](date) : whole,
  );
  return el("time", { datetime: date.toISOString(), title: full(date) }, safeText(text));
}

/** The time of a message, with the full moment on hover. */
export function timeNode(ts) {
  const date = moment(ts);
  return el(
    "time",
    { class: "time", datetime: date.toISOString(), title: full(date) },
    clock(date),
  );
}
