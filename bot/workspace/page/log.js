// A scrolling list of messages that stays where the reader is.

import { el, icon, reconcile } from "./dom.js";
import { MessageView } from "./message.js";
import { mrkdwn } from "./mrkdwn.js";
import { dayHeading, dayKey, moment, timeNode } from "./time.js";

const AT_END_PX = 48;
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
        timeNode(notice.at),
      ),
      el("div", { class: "notice-text" }, mrkdwn(notice.text, env.store)),
    ),
  );
}

export class Log {
  /**
   * `scroller` scrolls, `list` inside it holds the entries, `pill` is the button that jumps
   * to the newest. `env` as for MessageView, with `onDismissNotice` and `repliesOf(message)`.
   */
  constructor(scroller, list, pill, env) {
    Object.assign(this, { scroller, list, pill, env });
    this.reset();
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    pill.addEventListener("click", () => {
      this.toEnd();
      this.list.lastElementChild?.focus({ preventScroll: true });
    });
    const stay = () => this.stuck && !this.pinned() && this.toEnd();
    new ResizeObserver(stay).observe(scroller);
    list.addEventListener("load", stay, { capture: true }); // an image has its size only now
  }

  /** Forget everything shown: another channel, thread or member. */
  reset() {
    this.kept = new Map();
    this.list.replaceChildren();
    this.stuck = true;
    this.place = this.scroller.scrollTop;
    this.unseen = 0;
    this.first = true;
    this.list.setAttribute("aria-live", "off");
    this.showPill();
  }

  atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight <= AT_END_PX;
  }

  scrolled() {
    this.place = this.scroller.scrollTop;
    this.stuck = this.atEnd();
    if (this.stuck) this.unseen = 0;
    this.showPill();
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.place = this.scroller.scrollTop;
    this.stuck = true;
    this.unseen = 0;
    this.showPill();
  }

  /** Whether someone is at a control here; then nothing may slide away under them. */
  pinned() {
    const focus = document.activeElement;
    return this.list.contains(focus) && focus.matches("button, input, textarea, a, .popup");
  }

  showPill() {
    this.pill.hidden = this.unseen === 0;
    const words = this.unseen === 1 ? "1 new message" : `${this.unseen} new messages`;
    this.pill.replaceChildren(icon("down"), words);
  }

  /** The first entry in sight and where it stands, to hold the view still around a change. */
  anchor() {
    const top = this.scroller.getBoundingClientRect().top;
    for (const node of this.list.children) {
      const box = node.getBoundingClientRect();
      if (box.bottom > top + 1) return { node, top: box.top };
    }
    return null;
  }

  /** Show these messages and notices, oldest first. Returns how many are new to the list. */
  show(entries, { divider = null } = {}) {
    // The scroll event comes a frame late; who has scrolled meanwhile is reading there.
    if (this.scroller.scrollTop !== this.place) this.scrolled();
    const known = new Set(this.kept.keys());
    const anchor = this.anchor();
    const items = this.items(entries, divider);
    reconcile(this.list, this.kept, items);
    this.group(entries);
    const added = items.filter((item) => item.counts && !known.has(item.key)).length;
    if (this.first) {
      this.toEnd();
      this.first = false;
      requestAnimationFrame(() => this.list.setAttribute("aria-live", "polite"));
      return 0;
    }
    if (added && this.stuck && !this.pinned()) {
      this.toEnd();
    } else {
      if (anchor?.node.isConnected) {
        this.scroller.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
        this.place = this.scroller.scrollTop;
      }
      if (added && !this.atEnd()) this.unseen += added;
      this.showPill();
    }
    return added;
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
