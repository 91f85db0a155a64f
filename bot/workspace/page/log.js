// The messages of a channel or thread, with the lines between them.

import { moment } from "./dates.js";
import { el, icon } from "./dom.js";
import { MessageView } from "./message.js";
import { mrkdwn } from "./mrkdwn.js";
import { ScrollList } from "./scroll.js";
import { dayHeading, dayKey, timeNode } from "./time.js";

const GROUP_SECONDS = 300;

const signatures = new WeakMap();

/** What tells a changed message from the same; a message object itself never changes. */
function signature(message) {
  if (!signatures.has(message)) signatures.set(message, JSON.stringify(message));
  return signatures.get(message);
}

function noticeNode(notice, env) {
  const dismiss = {
    type: "button",
    class: "text-btn",
    on: { click: () => env.onDismissNotice(notice) },
  };
  return el(
    "article",
    { class: "message ephemeral notice", tabindex: "-1" },
    el(
      "div",
      { class: "gutter" },
      el("img", { class: "avatar", src: "/static/team-icon.svg", alt: "" }),
    ),
    el(
      "div",
      { class: "message-main" },
      el(
        "div",
        { class: "only-you" },
        icon("eye"),
        "Only visible to you · ",
        el("button", dismiss, "Dismiss"),
      ),
      el(
        "div",
        { class: "message-head" },
        el("span", { class: "author" }, "Workspace"),
        timeNode(moment(notice.at)),
      ),
      el("div", { class: "notice-text" }, mrkdwn(notice.text, env.store)),
    ),
  );
}

export class Log extends ScrollList {
  /** The rest as for ScrollList; `env` as for MessageView, with `onDismissNotice`. */
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
      const date = moment(entry.at ?? entry.ts);
      if (!divider && dayKey(date) !== day) {
        day = dayKey(date);
        out.push(this.rule(`day:${day}`, dayHeading(date), "day"));
      }
      out.push(entry.blocks || entry.user ? this.item(entry) : this.noticeItem(entry));
      if (divider && index === 0) out.push(this.rule("divider", divider, "thread-rule"));
    });
    return out;
  }

  rule(key, text, cls) {
    const make = () => ({
      node: el("div", { class: cls, role: "separator" }, el("span", {}, text)),
    });
    return { key, sig: text, make };
  }

  item(message) {
    const replies = this.env.repliesOf(message);
    const data = { message, replies };
    const sig = `${signature(message)} ${replies.length} ${replies.at(-1)?.ts}`;
    const make = () => {
      const view = new MessageView(message, this.env);
      view.update(message, replies);
      return { node: view.node, patch: (next) => view.update(next.message, next.replies) };
    };
    const key = `${message.ephemeral ? "e" : "m"}:${message.channel}/${message.ts}`;
    return { key, sig, data, make, counts: true };
  }

  noticeItem(notice) {
    return {
      key: notice.id,
      sig: notice.id,
      counts: true,
      make: () => ({ node: noticeNode(notice, this.env) }),
    };
  }

  /** Messages one says in a row stand under one name. */
  group(entries) {
    let before = null;
    for (const entry of entries) {
      const node = this.kept.get(
        entry.id ?? `${entry.ephemeral ? "e" : "m"}:${entry.channel}/${entry.ts}`,
      )?.node;
      const follows =
        before &&
        entry.user &&
        before.user === entry.user &&
        !entry.ephemeral &&
        !before.ephemeral &&
        Number(entry.ts) - Number(before.ts) < GROUP_SECONDS &&
        !this.env.repliesOf(before).length &&
        !entry.blocks?.length &&
        node?.previousElementSibling?.matches(".message");
      node?.classList.toggle("follows", Boolean(follows));
      before = entry;
    }
  }
}
