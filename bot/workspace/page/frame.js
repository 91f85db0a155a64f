// What stands around the messages: the rail, the bar with the member picker, hints, states.

import { el, icon } from "./dom.js";
import { avatar } from "./message.js";
import { openPopup } from "./popup.js";
import { safeString, safeText } from "./text.js";

const $ = (id) => document.getElementById(id);
const HINTS_KEY = "workspace.hints-dismissed";

/** The sign before a channel's name; a direct message has another. */
const hash = (id) => el("span", { class: "hash" }, id.startsWith("D") ? "@" : "#");

export class Frame {
  /** `options`: `onMember(id)`, `onChannel(id)`, `onHint(text)`, `onHome()`. */
  constructor(options) {
    this.options = options;
    this.shown = {};
    this.narrow = matchMedia("(max-width: 760px)");
    this.covering = matchMedia("(max-width: 1020px)");
    $("rail-open").append(icon("menu"));
    $("rail-close").append(icon("close"));
    $("rail-open").addEventListener("click", () => this.openRail());
    $("rail-close").addEventListener("click", () => this.closeRail());
    $("rail").addEventListener("click", (event) => event.target === $("rail") && this.closeRail());
    this.covering.addEventListener("change", () => this.covered());
    this.narrow.addEventListener("change", () => {
      this.closeRail();
      this.covered();
    });
    this.covered();
  }

  /** Show what the store says; parts that did not change are left alone. */
  show(store, channel) {
    this.part("team", [store.team.name], () => {
      $("team-name").replaceChildren(safeText(store.team.name));
    });
    this.part("channels", [store.channels, channel], () => this.channels(store, channel));
    this.part("app", [store.app], () => this.app(store.app));
    this.part("who", [store.me, [...store.people.values()]], () => this.who(store));
    this.part("hints", [store.hints], () => this.hints(store.hints));
  }

  part(name, data, draw) {
    const sig = JSON.stringify(data);
    if (this.shown[name] === sig) return;
    this.shown[name] = sig;
    draw();
  }

  channels(store, channel) {
    const items = store.channels.map((item) => {
      const current = item.id === channel;
      const click = () => {
        this.closeRail();
        if (!current) this.options.onChannel(item.id);
      };
      const attrs = {
        type: "button",
        class: "rail-item",
        "aria-current": current ? "page" : null,
        on: { click },
      };
      return el("li", {}, el("button", attrs, hash(item.id), safeText(item.name)));
    });
    $("channels").replaceChildren(...items);
    const name = channel ? safeText(store.channelName(channel)) : "No channel";
    $("channel-name").replaceChildren(...(channel ? [hash(channel)] : []), name);
  }

  app(app) {
    const state = app.connected ? "connected" : "not connected";
    const dot = () =>
      el("span", { class: `dot ${app.connected ? "on" : "off"}`, "aria-hidden": "true" });
    const name = safeText(app.name);
    const click = () => {
      this.closeRail();
      this.options.onHome();
    };
    const attrs = { type: "button", class: "rail-item", title: "Home", on: { click } };
    const button = el("button", attrs, avatar(null, app.name, true), name, dot());
    $("rail-app").replaceChildren(button);
    const words = el("span", { class: "link-words" }, safeText(app.name), ` is ${state}`);
    $("app-state").replaceChildren(dot(), words);
    $("app-state").title = `${safeString(app.name)} is ${state}`;
  }

  who(store) {
    const me = store.member(store.me);
    const name = me?.real_name || me?.name || store.me;
    const attrs = {
      type: "button",
      class: "who-btn",
      id: "who-btn",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      "aria-label": `You are ${safeString(name)}, ${safeString(me?.title || "no title")}. Choose who you are`,
      data: { focus: "who" },
    };
    const button = el(
      "button",
      attrs,
      avatar(store.me, name, false),
      el("span", { class: "who-name" }, safeText(name)),
      me?.title ? el("span", { class: "role" }, safeText(me.title)) : null,
      icon("chevron"),
    );
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-expanded") === "true") return;
      const items = store.members().map((person) => this.person(person, store.me));
      openPopup({
        anchor: button,
        items,
        label: "Who you are",
        onPick: (id) => this.options.onMember(id),
      });
    });
    const focused = $("who").contains(document.activeElement);
    $("who").replaceChildren(button);
    if (focused) button.focus();
  }

  person(person, me) {
    const name = person.real_name || person.name;
    const title = person.title ? el("span", { class: "role" }, safeText(person.title)) : null;
    const words = el("span", { class: "person-name" }, safeText(name));
    const node = el("span", { class: "person" }, avatar(person.id, name, false), words, title);
    return { value: person.id, text: safeString(name), node, selected: person.id === me };
  }

  hints(hints) {
    const dismissed = sessionStorage.getItem(HINTS_KEY) === "yes";
    $("hints").hidden = dismissed || hints.length === 0;
    const chips = hints.map((hint) =>
      el(
        "button",
        { type: "button", class: "hint", on: { click: () => this.options.onHint(hint) } },
        safeText(hint),
      ),
    );
    const close = () => {
      sessionStorage.setItem(HINTS_KEY, "yes");
      $("hints").hidden = true;
      $("composer").querySelector("textarea").focus({ preventScroll: true });
    };
    const cross = {
      type: "button",
      class: "icon-btn",
      "aria-label": "Hide the suggestions",
      on: { click: close },
    };
    $("hints").replaceChildren(
      el("span", { class: "hints-title" }, icon("spark"), "Try"),
      el("div", { class: "hints-row" }, ...chips),
      el("button", cross, icon("close")),
    );
  }

  /** The connection to the workspace broke; `wait` in ms until the next try, null: it is back. */
  lost(wait) {
    const box = $("lost");
    box.hidden = wait === null;
    const seconds = Math.max(1, Math.round((wait ?? 0) / 1000));
    const words = `The connection to the workspace is lost. Trying again in ${seconds} s.`;
    box.replaceChildren(...(wait === null ? [] : [icon("warning"), words]));
  }

  /** The state could not be loaded; `text` says why. */
  problem(text) {
    $("lost").hidden = false;
    $("lost").replaceChildren(icon("warning"), text);
  }

  openRail() {
    $("app").classList.add("rail-out");
    $("rail-open").setAttribute("aria-expanded", "true");
    this.covered();
    $("rail-close").focus();
  }

  /** Close the rail where it lies over the channel. Returns whether it was open. */
  closeRail() {
    if (!$("app").classList.contains("rail-out")) return false;
    $("app").classList.remove("rail-out");
    $("rail-open").setAttribute("aria-expanded", "false");
    this.covered();
    $("rail-open").focus();
    return true;
  }

  /** What lies under the rail or thread takes no focus and is not read out. */
  covered() {
    const out = $("app").classList.contains("rail-out") && this.narrow.matches;
    const thread = !$("thread").hidden && this.covering.matches;
    $("channel").inert = out || thread;
    $("thread").inert = out;
    $("rail").inert = (this.narrow.matches && !out) || (thread && this.narrow.matches);
  }
}
