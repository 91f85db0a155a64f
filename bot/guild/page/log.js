// The messages of a channel or thread, with the lines between them.

import { el, icon } from "./dom.js";
import { MessageView, onlyYou } from "./message.js";
import { moment, timeNode } from "./moments.js";
import { ScrollList } from "./scroll.js";
import { safeText } from "./text.js";
import { dayHeading, dayKey } from "./time.js";

const SERVER_ICON = new URL("./guild-icon.svg", import.meta.url).pathname;
const GROUP_MS = 7 * 60_000;
const signatures = new WeakMap();

/** What tells a changed message from the same; a message object itself never changes. */
function signature(message) {
  if (!signatures.has(message)) signatures.set(message, JSON.stringify(message));
  return signatures.get(message);
}

/** What the server tells one member alone, such as that the app did not answer. */
function noticeNode(notice, env) {
  const face = el("img", { class: "avatar", src: SERVER_ICON, alt: "" });
  return el(
    "article",
    { class: "message ephemeral notice", tabindex: "-1", data: { focus: notice.id } },
    el("div", { class: "gutter" }, face),
    el(
      "div",
      { class: "message-main" },
      el(
        "div",
        { class: "message-head" },
        el("span", { class: "author" }, "Server"),
        timeNode(moment(notice.timestamp)),
      ),
      el("div", { class: "failure" }, icon("warning"), safeText(notice.notice)),
      onlyYou(() => env.onDismiss(notice.id)),
    ),
  );
}

export class Log extends ScrollList {
  /** The rest as for ScrollList; `env` as for MessageView. */
  constructor(scroller, list, pill, env) {
    super(scroller, list, pill);
    this.env = env;
  }

  /** Show these messages and notices, oldest first. Returns how many are new to the list. */
  show(entries, { divider = null } = {}) {
    return this.showItems(this.items(entries, divider), () => this.group(entries));
  }

  items(entries, divider) {
    const out = [];
    let day = null;
    entries.forEach((entry, index) => {
      const date = moment(entry.timestamp);
      if (!divider && dayKey(date) !== day) {
        day = dayKey(date);
        out.push(this.rule(`day:${day}`, dayHeading(date)));
      }
      out.push(entry.notice ? this.noticeItem(entry) : this.item(entry));
      if (divider && index === 0) out.push(this.rule("divider", divider));
    });
    return out;
  }

  rule(key, text) {
    const make = () => ({
      node: el("div", { class: "day", role: "separator" }, el("span", {}, text)),
    });
    return { key, sig: text, make };
  }

  item(message) {
    const { store } = this.env;
    const thread = store.threadOf(message);
    const lines = thread ? store.threadLines(thread.id) : [];
    const data = { message, thread, lines };
    const last = lines.at(-1);
    const under = `${lines.length} ${last ? signature(last) : ""}`;
    const sig = `${signature(message)} ${JSON.stringify(thread)} ${under}`;
    const make = () => {
      const view = new MessageView(message, this.env);
      const show = (next) => view.update(next.message, next.thread, next.lines);
      show(data);
      return { node: view.node, patch: show, view };
    };
    return { key: message.id, sig, data, make, counts: true };
  }

  noticeItem(notice) {
    const make = () => ({ node: noticeNode(notice, this.env) });
    return { key: notice.id, sig: notice.id, counts: true, make };
  }

  /** Say beneath this message that using it went wrong. Returns whether it is shown here. */
  fail(id, text) {
    const view = this.kept.get(id)?.view;
    view?.fail(text);
    return Boolean(view);
  }

  /** Messages one says in a row stand under one name. */
  group(entries) {
    let before = null;
    for (const entry of entries) {
      const node = this.kept.get(entry.id)?.node;
      const follows =
        before?.author &&
        entry.author?.id === before.author.id &&
        !entry.interaction &&
        Boolean(entry.ephemeral) === Boolean(before.ephemeral) &&
        Date.parse(entry.timestamp) - Date.parse(before.timestamp) < GROUP_MS &&
        !this.env.store.threadOf(before) &&
        node?.previousElementSibling?.matches(".message");
      node?.classList.toggle("follows", Boolean(follows));
      before = entry;
    }
  }
}
