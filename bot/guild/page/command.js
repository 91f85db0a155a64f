// A chosen command in the message box: its name, and a field for each option it is given.

import { el, icon } from "./dom.js";
import { choices, matching, valueOf } from "./options.js";
import { safeString, safeText } from "./text.js";

const PAUSE_MS = 120; // of typing, before the app is asked what could follow
const NARROWEST = 4;

const line = (name, about) =>
  el(
    "span",
    { class: "suggest-command" },
    el("span", { class: "suggest-name" }, safeText(name)),
    about ? el("span", { class: "suggest-about" }, safeText(about)) : null,
  );

export class CommandBar {
  /**
   * `values`: texts by option name, to begin with. `env`: `store`, `suggest`,
   * `complete(options, focused)`, `submit()`, `leave()`, `say(text or null)`.
   */
  constructor(command, values, env) {
    this.command = command;
    this.env = env;
    this.pills = new Map();
    this.asked = 0;
    this.more = el("input", {
      class: "more-options",
      "aria-label": "Add an option",
      ...env.suggest.attrs,
      data: { focus: "more-options" },
    });
    this.more.addEventListener("focus", () => this.offer());
    this.more.addEventListener("input", () => this.offer());
    this.more.addEventListener("keydown", (event) => this.onMoreKey(event));
    const cross = {
      type: "button",
      class: "icon-btn command-leave",
      "aria-label": "Leave the command",
      on: { click: () => env.leave() },
    };
    this.list = el("span", { class: "pills" });
    this.node = el(
      "div",
      { class: "command", role: "group", "aria-label": `${command.path}: ${command.description}` },
      el("span", { class: "command-name" }, safeText(command.path)),
      this.list,
      this.more,
      el("button", cross, icon("close")),
    );
    for (const option of command.options) {
      if (option.required || values.has(option.name)) this.add(option, values.get(option.name));
    }
    this.rest();
  }

  /** Where the person goes on: the first option without a value, or the choice of more. */
  first() {
    const empty = [...this.pills.values()].find((pill) => pill.input.value === "");
    return empty?.input ?? (this.more.hidden ? [...this.pills.values()].at(-1)?.input : this.more);
  }

  /** The options that were not taken up yet. */
  left() {
    return this.command.options.filter((option) => !this.pills.has(option.name));
  }

  rest() {
    const count = this.left().length;
    this.more.hidden = count === 0 && this.pills.size > 0;
    this.more.readOnly = count === 0;
    this.more.placeholder = count ? `+${count} more` : "press Enter to send";
  }

  add(option, text = "") {
    const needed = option.required ? ", required" : "";
    const input = el("input", {
      class: "pill-input",
      "aria-label": safeString(`${option.name}${needed}: ${option.description ?? ""}`),
      ...this.env.suggest.attrs,
      data: { focus: `option/${option.name}` },
    });
    input.value = text;
    const node = el(
      "label",
      { class: "pill-option", data: { option: option.name } },
      el("span", { class: "pill-name" }, safeText(option.name)),
      input,
    );
    const pill = { option, input, node, picked: null };
    this.pills.set(option.name, pill);
    this.list.append(node);
    this.fit(pill);
    input.addEventListener("input", () => this.typed(pill));
    input.addEventListener("focus", () => this.propose(pill));
    input.addEventListener("keydown", (event) => this.onPillKey(event, pill));
    return pill;
  }

  fit(pill) {
    pill.input.size = Math.max(NARROWEST, pill.input.value.length + 1);
  }

  remove(pill) {
    this.pills.delete(pill.option.name);
    pill.node.remove();
    this.rest();
    this.more.focus({ preventScroll: true });
  }

  /** Offer the options that could be added. */
  offer() {
    const wanted = this.more.value.replace(/:.*$/s, "").trim().toLowerCase();
    const found = this.left().filter((option) => option.name.startsWith(wanted));
    const whole = found.find((option) => option.name === wanted);
    if (whole && this.more.value.includes(":")) {
      this.take(whole, this.more.value.replace(/^[^:]*:/, ""));
      return;
    }
    const items = found.map((option) => ({
      node: line(option.name, option.description),
      take: () => this.take(option),
    }));
    const title = el("span", {}, safeText(this.command.path), " · options");
    // Unless one was typed, Enter sends the command, so none is chosen before one goes to it.
    this.env.suggest.show(this.more, title, items, { marked: wanted !== "" });
  }

  take(option, text = "") {
    this.more.value = "";
    const pill = this.add(option, text);
    this.rest();
    pill.input.focus({ preventScroll: true });
  }

  onMoreKey(event) {
    if (event.isComposing) return;
    const { key } = event;
    if (this.env.suggest.key(event)) {
      event.preventDefault();
    } else if (key === "Enter") {
      event.preventDefault();
      this.env.submit();
    } else if (key === "Escape") {
      event.preventDefault();
      this.env.leave();
    } else if (key === "Backspace" && this.more.value === "") {
      event.preventDefault();
      const last = [...this.pills.values()].at(-1);
      if (last) last.input.focus({ preventScroll: true });
      else this.env.leave();
    } else {
      return;
    }
    event.stopPropagation();
  }

  typed(pill) {
    pill.picked = null;
    this.wrong(pill, null);
    this.fit(pill);
    this.propose(pill);
  }

  /** Offer values: the choices there are, or what the app says could follow. */
  propose(pill) {
    const { option, input } = pill;
    const known = choices(option, this.env.store);
    this.asked += 1;
    clearTimeout(this.timer);
    if (known) {
      const text = pill.picked ? "" : input.value;
      this.showChoices(pill, matching(known, text), "No options match what you typed.");
    } else if (option.autocomplete) {
      this.showChoices(pill, [], "Loading options…");
      this.timer = setTimeout(() => this.ask(pill, this.asked), PAUSE_MS);
    } else {
      this.showChoices(pill, [], "");
    }
  }

  /** Ask the app. An answer that comes after more was typed is not shown. */
  async ask(pill, turn) {
    const options = this.texts();
    options[pill.option.name] = pill.input.value;
    const answer = await this.env.complete(options, pill.option.name);
    if (turn !== this.asked || document.activeElement !== pill.input) return;
    if (answer.ok) this.showChoices(pill, answer.choices ?? [], "No options match what you typed.");
    else this.showChoices(pill, [], "Loading options failed.");
  }

  showChoices(pill, found, note) {
    const { option, input } = pill;
    const items = found.map((choice) => ({
      node: line(choice.name),
      take: () => this.pick(pill, choice),
    }));
    const title = el(
      "span",
      {},
      el("b", {}, safeText(option.name)),
      " ",
      safeText(option.description ?? ""),
    );
    // What the app proposes is taken by going to it; a choice there must be is marked at once.
    const marked = !option.autocomplete && !pill.picked;
    this.env.suggest.show(input, title, items, { note, marked, always: true });
  }

  pick(pill, choice) {
    pill.picked = choice;
    pill.input.value = choice.name;
    this.wrong(pill, null);
    this.fit(pill);
    this.env.suggest.clear();
    this.onward(pill);
  }

  /** To the next field that has no value yet. */
  onward(pill) {
    const next = this.first();
    if (next !== pill.input) next.focus({ preventScroll: true });
  }

  onPillKey(event, pill) {
    if (event.isComposing) return;
    const { key } = event;
    if (this.env.suggest.key(event)) {
      event.preventDefault();
    } else if (key === "Enter") {
      event.preventDefault();
      this.env.submit();
    } else if (key === "Escape") {
      event.preventDefault();
      this.env.leave();
    } else if (key === "Backspace" && pill.input.value === "") {
      event.preventDefault();
      if (pill.option.required) this.env.leave();
      else this.remove(pill);
    } else {
      return;
    }
    event.stopPropagation();
  }

  wrong(pill, text) {
    pill.node.classList.toggle("invalid", Boolean(text));
    pill.input.setAttribute("aria-invalid", String(Boolean(text)));
    this.env.say(text ? `${pill.option.name}: ${text}` : null);
  }

  /** What was typed so far, for the app's proposals. */
  texts() {
    const out = {};
    for (const [name, pill] of this.pills) {
      const read = this.read(pill);
      if (pill.input.value !== "" && !read.error) out[name] = read.value;
    }
    return out;
  }

  read(pill) {
    const known = choices(pill.option, this.env.store);
    return valueOf(pill.option, pill.input.value, pill.picked, known);
  }

  /** The options to send, or null where one is missing or wrong, which is then told. */
  values() {
    const out = {};
    for (const [name, pill] of this.pills) {
      const empty = pill.input.value.trim() === "";
      if (empty && !pill.option.required) continue;
      const read = empty ? { error: "This option is required." } : this.read(pill);
      if (read.error) {
        pill.input.focus({ preventScroll: true });
        this.wrong(pill, read.error);
        return null;
      }
      out[name] = read.value;
    }
    return out;
  }
}
