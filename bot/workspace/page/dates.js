// Slack's dates: a message's ts, and the tokens of a date in a text.

import { el } from "./dom.js";
import { safeText } from "./text.js";
import { ago, format, full, near } from "./time.js";

const CLOCK = format({ timeStyle: "short" });
const CLOCK_SECONDS = format({ timeStyle: "medium" });
const DAY_YEAR = format({ year: "numeric", month: "long", day: "numeric" });
const NUMERIC = format({ year: "numeric", month: "2-digit", day: "2-digit" });
const SHORT = format({ year: "numeric", month: "short", day: "numeric" });
const LONG = format({ weekday: "long", year: "numeric", month: "long", day: "numeric" });

/** The moment of a message's `ts`, seconds with a fraction, as a Date. */
export function moment(ts) {
  return new Date(Number.parseFloat(ts) * 1000);
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
