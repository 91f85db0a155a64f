// The list above the message box: commands, options and choices, run from the box itself.

import { freshId } from "./dialog.js";
import { el } from "./dom.js";

export class Suggest {
  constructor(label) {
    this.label = label;
    this.id = freshId("suggest");
    this.title = el("div", { class: "suggest-title" });
    const attrs = { class: "suggest-list", id: this.id, role: "listbox", "aria-label": label };
    this.box = el("div", attrs);
    this.node = el("div", { class: "suggest", hidden: true }, this.title, this.box);
    this.items = [];
    this.active = -1;
    this.input = null;
  }

  /** The attributes an input needs whose list this is. */
  get attrs() {
    return {
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": this.id,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    };
  }

  get open() {
    return !this.node.hidden;
  }

  /**
   * Show items `{node, take}` for `input`. `note` stands where there are none; `marked` is
   * whether the first is chosen before the person went to one; `always` shows the title alone.
   */
  show(input, title, items, { note = "", marked = true, always = false } = {}) {
    this.clear();
    if (!items.length && !note && !always) return;
    this.input = input;
    this.items = items;
    this.moved = false;
    this.title.replaceChildren(title);
    const nodes = items.map((item, index) => {
      const attrs = { class: "suggest-item", role: "option", id: `${this.id}-${index}` };
      const node = el("div", attrs, item.node);
      node.addEventListener("mousedown", (event) => event.preventDefault()); // keep the focus
      node.addEventListener("click", () => item.take());
      return node;
    });
    this.box.replaceChildren(...nodes);
    if (!items.length && note) this.box.replaceChildren(el("div", { class: "suggest-note" }, note));
    this.node.hidden = false;
    input.setAttribute("aria-expanded", String(items.length > 0));
    this.mark(marked && items.length ? 0 : -1);
  }

  clear() {
    this.node.hidden = true;
    this.items = [];
    this.active = -1;
    this.input?.setAttribute("aria-expanded", "false");
    this.input?.removeAttribute("aria-activedescendant");
    this.input = null;
  }

  mark(index) {
    this.active = index;
    [...this.box.children].forEach((node, at) => {
      node.setAttribute("aria-selected", String(at === index));
      if (at === index) node.scrollIntoView({ block: "nearest" });
    });
    if (index >= 0) this.input.setAttribute("aria-activedescendant", `${this.id}-${index}`);
    else this.input?.removeAttribute("aria-activedescendant");
  }

  /** Handle a key of the input. Returns whether it was the list's. */
  key({ key, shiftKey }) {
    if (!this.open) return false;
    if (key === "Escape") {
      this.clear();
      return true;
    }
    const count = this.items.length;
    if (!count) return false;
    if (key === "ArrowDown" || key === "ArrowUp") {
      const step = key === "ArrowDown" ? 1 : -1;
      const from = this.active < 0 && step < 0 ? 0 : this.active;
      this.mark((from + step + count) % count);
      return true;
    }
    if (this.active >= 0 && (key === "Enter" || (key === "Tab" && !shiftKey))) {
      this.items[this.active].take();
      return true;
    }
    return false;
  }
}
