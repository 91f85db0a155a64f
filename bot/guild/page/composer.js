// The message box. A slash opens the commands; a chosen one asks for its options.

import { CommandBar } from "./command.js";
import { errorText } from "./controls.js";
import { el, icon } from "./dom.js";
import { continuing, typed } from "./options.js";
import { Suggest } from "./suggest.js";
import { safeString, safeText } from "./text.js";

const TALLEST_PX = 200;
const UNKNOWN = "There is no such command here.";

export class Composer {
  /**
   * `root` is filled with the box. `env`: `store`, `placeholder()`, `label`,
   * `say(text)`, `run({name, sub, options})` and `complete({name, sub, options, focused})`, which
   * resolve to the server's answer.
   */
  constructor(root, env) {
    this.root = root;
    this.env = env;
    this.bar = null;
    this.suggest = new Suggest("Commands and options");
    this.area = el("textarea", {
      rows: 1,
      "aria-label": env.label,
      ...this.suggest.attrs,
      data: { focus: `composer-${this.suggest.id}` },
    });
    const attrs = { type: "submit", class: "send", "aria-label": "Send", title: "Send (Enter)" };
    this.button = el("button", attrs, icon("send"));
    this.place = el("div", { class: "composer-input" }, this.area);
    this.form = el("form", { class: "composer-box" }, this.place, this.button);
    this.status = el("div", { class: "composer-status", role: "status" });
    root.append(this.suggest.node, this.form, this.status);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.area.addEventListener("input", () => this.changed());
    this.area.addEventListener("keydown", (event) => this.onKey(event));
    this.form.addEventListener("focusout", (event) => {
      if (!this.form.contains(event.relatedTarget)) this.suggest.clear();
    });
  }

  /** What the box says while it is empty, and the commands there are now. */
  refresh() {
    this.area.placeholder = this.env.placeholder();
    const { commands } = this.env.store;
    if (commands === this.commands) return;
    this.commands = commands;
    const path = this.bar?.command.path;
    if (path && !continuing(commands, path).some((one) => one.path === path)) this.leave();
    else if (this.suggest.input === this.area) this.changed();
  }

  focus() {
    (this.bar?.first() ?? this.area).focus({ preventScroll: true });
  }

  say(nodes, failed = false) {
    this.status.classList.toggle("failed", failed);
    this.status.replaceChildren(...nodes);
  }

  failed(text) {
    this.say([icon("warning"), safeText(text)], true);
  }

  changed() {
    const text = this.area.value;
    this.area.style.height = "auto";
    this.area.style.height = `${Math.min(this.area.scrollHeight, TALLEST_PX)}px`;
    this.form.classList.toggle("ready", text.trim() !== "");
    this.say([]);
    const { store } = this.env;
    const whole = text.startsWith("/") && typed(store.commands, text);
    if (whole && text.startsWith(`${whole.command.path} `)) {
      this.enter(whole.command, whole.values);
      return;
    }
    const items = continuing(store.commands, text).map((command) => ({
      node: el(
        "span",
        { class: "suggest-command" },
        el("span", { class: "suggest-name" }, safeText(command.path)),
        el("span", { class: "suggest-about" }, safeText(command.description)),
      ),
      take: () => this.enter(command, new Map()),
    }));
    const note = text.startsWith("/") && !text.includes("\n") ? UNKNOWN : "";
    this.suggest.show(this.area, safeText(store.app.name), items, { note });
  }

  /** Ask for a command's options in place of the text. */
  enter(command, values) {
    this.area.value = "";
    this.suggest.clear();
    this.bar = new CommandBar(command, values, {
      store: this.env.store,
      suggest: this.suggest,
      complete: (options, focused) =>
        this.env.complete({ name: command.name, sub: command.sub, options, focused }),
      submit: () => this.submit(),
      leave: () => this.leave(),
      say: (text) => (text ? this.failed(text) : this.say([])),
    });
    this.place.replaceChildren(this.bar.node);
    this.form.classList.add("ready", "commanding");
    this.bar.first().focus({ preventScroll: true });
  }

  /** Back to plain text. */
  leave() {
    this.bar = null;
    this.suggest.clear();
    this.place.replaceChildren(this.area);
    this.form.classList.remove("commanding");
    this.area.value = "";
    this.changed();
    this.area.focus({ preventScroll: true });
  }

  onKey(event) {
    if (event.isComposing) return;
    if (this.suggest.key(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    }
  }

  async submit() {
    if (this.bar) return this.run();
    const text = this.area.value.trim();
    if (!text) return undefined;
    const whole = typed(this.env.store.commands, text);
    if (whole) return this.enter(whole.command, whole.values);
    if (/^\/[\w-]+( |$)/.test(text)) return this.failed(UNKNOWN);
    this.area.value = "";
    this.changed();
    return this.done(await this.env.say(text), text);
  }

  async run() {
    const { command } = this.bar;
    const options = this.bar.values();
    if (!options) return;
    this.leave();
    const what = el("code", {}, safeText(safeString(command.path)));
    this.say(["Sending ", what, " …"]);
    const call = { name: command.name, options };
    if (command.sub) call.sub = command.sub;
    this.done(await this.env.run(call));
  }

  done(answer, text = "") {
    if (answer.ok) return this.say([]);
    if (text && !this.area.value) this.area.value = text; // nothing one wrote is lost
    return this.failed(errorText(answer.error));
  }
}
