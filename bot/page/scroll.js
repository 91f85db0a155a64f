// A scrolling list of messages that stays where the reader is.

import { icon, reconcile } from "./dom.js";

const AT_END_PX = 48;

export class ScrollList {
  /**
   * `scroller` scrolls, `list` inside it holds the entries, `pill` is the button that jumps
   * to the newest.
   */
  constructor(scroller, list, pill) {
    Object.assign(this, { scroller, list, pill });
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

  /** Where the newest message is read: at its end or, where it is taller, from its beginning. */
  end() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    const last = this.list.lastElementChild?.getBoundingClientRect();
    const bottom = scrollHeight - clientHeight;
    if (!last || last.height <= clientHeight) return bottom;
    return Math.min(bottom, scrollTop + last.top - this.scroller.getBoundingClientRect().top);
  }

  atEnd() {
    return this.end() - this.scroller.scrollTop <= AT_END_PX;
  }

  scrolled() {
    this.place = this.scroller.scrollTop;
    this.stuck = this.atEnd();
    if (this.stuck) this.unseen = 0;
    this.showPill();
  }

  toEnd() {
    this.scroller.scrollTop = this.end();
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

  /**
   * Show these items of `reconcile`, oldest first; `counts` marks those that are messages.
   * `placed` runs when they stand in the list. Returns how many messages are new to it.
   */
  showItems(items, placed = () => {}) {
    // The scroll event comes a frame late; who has scrolled meanwhile is reading there.
    if (this.scroller.scrollTop !== this.place) this.scrolled();
    const known = new Set(this.kept.keys());
    const anchor = this.anchor();
    reconcile(this.list, this.kept, items);
    placed();
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
}
