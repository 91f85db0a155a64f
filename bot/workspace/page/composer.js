// The box for slash commands, with completion and a history.

import { freshId } from "./dialog.js";
import { el, icon } from "./dom.js";
import { safeString, safeText } from "./text.js";

const HISTORY = 100;
const TALLEST_PX = 160;
// A usage hint that lists the words which may come next: "[search|move|help]".
const WORDS = /^\[([\w-]+(?:\|[\w-]+)+)\]$/;

/** What can be typed: each command, and each with a next word its usage hint names. */
function typeable(commands) {
  return commands.flatMap((command) => {
    const words = WORDS.exec(command.usage_hint ?? "")?.[1].split("|") ?? [];
    return [command, ...words.map((word) => ({ command: `${command.command} ${word}` }))];
  });
}

/** The choices that continue `text`; next words only once their command is typed. */
function continuing(commands, text) {
  if (!/^\/\S*(?: [\w-]*)?$/.test(text)) return [];
  const inWords = text.includes(" ");
  return typeable(commands).filter(
    ({ command }) => command.startsWith(text) && command.includes(" ") === inWords,
  );
}

export class Composer {
  /**
   * `root` is filled with the box. `options`: `label`, `placeholder`, `commands()` the list to
   * complete from, `send(text)` resolves to null or a sentence that says why it failed.
   */
  constructor(root, options) {
    this.options = options;
    this.history = [];
    this.at = 0;
    this.draft = "";
    this.matches = [];
    this.active = -1;
    const listId = freshId("commands");
    this.area = el("textarea", {
      rows: 1,
      role: "combobox",
      "aria-label": options.label,
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": listId,
      placeholder: options.placeholder,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      data: { focus: `composer-${listId}` },
    });
    const attrs = { type: "submit", class: "send", "aria-label": "Send", title: "Send (Enter)" };
    this.button = el("button", attrs, icon("send"));
    this.list = el("div", {
      class: "commands",
      id: listId,
      role: "listbox",
      "aria-label": "Commands",
      hidden: true,
    });
    this.status = el("div", { class: "composer-status", role: "status" });
    const form = el("form", { class: "composer-box" }, this.area, this.button);
    root.append(this.list, form, this.status);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.area.addEventListener("input", () => this.changed());
    this.area.addEventListener("focus", () => this.fit());
    this.area.addEventListener("keydown", (event) => this.onKey(event));
    this.area.addEventListener("blur", () => this.complete([]));
    this.changed();
  }

  /** Put a text in, ready to be sent or completed by the person. */
  fill(text) {
    this.area.value = text;
    this.changed();
    this.complete([]);
    this.area.focus({ preventScroll: true });
    this.area.setSelectionRange(text.length, text.length);
  }

  changed() {
    const text = this.area.value;
    this.button.classList.toggle("ready", text.trim() !== "");
    this.fit();
    const commands = this.options.commands();
    this.complete(continuing(commands, text));
    const command = this.matches.length
      ? null
      : commands.find((c) => text.startsWith(`${c.command} `));
    this.say(
      command?.usage_hint
        ? ["Usage: ", el("code", {}, safeText(`${command.command} ${command.usage_hint}`))]
        : [],
    );
  }

  /** As high as its text. A box that is not shown has no height to measure. */
  fit() {
    this.area.style.height = "auto";
    const height = Math.min(this.area.scrollHeight, TALLEST_PX);
    if (height) this.area.style.height = `${height}px`;
  }

  say(nodes, failed = false) {
    this.status.classList.toggle("failed", failed);
    this.status.replaceChildren(...nodes);
  }

  complete(matches) {
    const typed = this.area.value;
    this.matches = matches.filter((match) => match.command !== typed);
    this.active = this.matches.length ? 0 : -1;
    this.moved = false;
    this.list.hidden = this.matches.length === 0;
    this.area.setAttribute("aria-expanded", String(this.matches.length > 0));
    const options = this.matches.map((match, index) => {
      const option = el(
        "div",
        { class: "command", role: "option", id: `${this.list.id}-${index}` },
        el("span", { class: "command-name" }, safeText(match.command)),
        el("span", { class: "command-usage" }, safeText(match.usage_hint ?? "")),
        el("span", { class: "command-about" }, safeText(match.description ?? "")),
      );
      // Not click: the box must not lose the focus first.
      option.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.take(index);
      });
      return option;
    });
    this.list.replaceChildren(...options);
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((node, index) => {
      node.setAttribute("aria-selected", String(index === this.active));
      if (index === this.active) node.scrollIntoView({ block: "nearest" });
    });
    if (this.active >= 0)
      this.area.setAttribute("aria-activedescendant", `${this.list.id}-${this.active}`);
    else this.area.removeAttribute("aria-activedescendant");
  }

  take(index) {
    this.fill(`${this.matches[index].command} `);
    this.changed(); // the next words, if there are any
  }

  onKey(event) {
    if (event.isComposing) return;
    const { key } = event;
    const open = this.matches.length > 0;
    // A whole command is sent by Enter though more could follow; a part, or a choice gone to
    // with the arrows, is completed.
    const typed = this.area.value.trim();
    const whole = !this.moved && this.options.commands().some((c) => c.command === typed);
    if (open && (key === "ArrowDown" || key === "ArrowUp")) {
      const step = key === "ArrowDown" ? 1 : -1;
      this.active = (this.active + step + this.matches.length) % this.matches.length;
      this.moved = true;
      this.mark();
    } else if (open && ((key === "Tab" && !event.shiftKey) || (key === "Enter" && !whole))) {
      this.take(this.active);
    } else if (open && key === "Escape") {
      this.complete([]);
      event.stopPropagation();
    } else if (key === "Enter" && !event.shiftKey) {
      this.submit();
    } else if (
      key === "ArrowUp" &&
      !this.area.value.slice(0, this.area.selectionStart).includes("\n")
    ) {
      if (!this.recall(-1)) return;
    } else if (key === "ArrowDown" && this.at < this.history.length) {
      if (!this.recall(1)) return;
    } else {
      return;
    }
    event.preventDefault();
  }

  recall(step) {
    const to = this.at + step;
    if (to < 0 || to > this.history.length) return false;
    if (this.at === this.history.length) this.draft = this.area.value;
    this.at = to;
    this.fill(to === this.history.length ? this.draft : this.history[to]);
    return true;
  }

  async submit() {
    const text = this.area.value.trim();
    if (!text) return;
    if (this.history.at(-1) !== text) this.history.push(text);
    this.history.splice(0, this.history.length - HISTORY);
    this.at = this.history.length;
    this.area.value = "";
    this.changed();
    this.say(["Sending ", el("code", {}, safeText(safeString(text).slice(0, 80))), " …"]);
    const failure = await this.options.send(text);
    this.say(failure ? [icon("warning"), failure] : [], Boolean(failure));
  }
}
