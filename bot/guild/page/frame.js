// What stands around the messages: the rail, the channels, the person one is, states.

import { el, icon } from "./dom.js";
import { avatar } from "./message.js";
import { openPopup } from "./popup.js";
import { safeString, safeText } from "./text.js";

const $ = (id) => document.getElementById(id);
const THREADS_SHOWN = 12;

export class Frame {
  /** `options`: `onMember(id)`, `onChannel(id)`, `onThread(thread)`. */
  constructor(options) {
    this.options = options;
    this.shown = {};
    this.narrow = matchMedia("(max-width: 760px)");
    this.covering = matchMedia("(max-width: 1060px)");
    $("side-open").append(icon("menu"));
    $("side-close").append(icon("close"));
    $("side-open").addEventListener("click", () => this.openSide());
    $("side-close").addEventListener("click", () => this.closeSide());
    $("shade").addEventListener("click", () => this.closeSide());
    this.covering.addEventListener("change", () => this.covered());
    this.narrow.addEventListener("change", () => {
      this.closeSide();
      this.covered();
    });
    this.covered();
  }

  /** Show what the store says; parts that did not change are left alone. */
  show(store, channel, thread) {
    this.part("guild", [store.guild], () => this.guild(store.guild));
    this.part("channels", [store.channels, [...store.threads.values()], channel, thread], () =>
      this.channels(store, channel, thread),
    );
    this.part("app", [store.app], () => this.app(store.app));
    this.part("who", [store.me, store.members()], () => {
      this.who($("who"), store);
      this.who($("who-top"), store);
    });
  }

  part(name, data, draw) {
    const sig = JSON.stringify(data);
    if (this.shown[name] === sig) return;
    this.shown[name] = sig;
    draw();
  }

  guild(guild) {
    $("guild-name").replaceChildren(safeText(guild.name));
    const initials = safeString(guild.name)
      .split(/\s+/)
      .map((word) => [...word][0] ?? "")
      .join("")
      .slice(0, 3);
    $("guild-icon").replaceChildren(safeText(initials));
    $("guild-icon").title = safeString(guild.name);
  }

  channels(store, channel, thread) {
    const focused = $("channels").contains(document.activeElement)
      ? document.activeElement.dataset.focus
      : null;
    const items = store.channels.map((item) => {
      const current = item.id === channel;
      const go = () => {
        this.closeSide();
        this.options.onChannel(item.id);
      };
      const open = store.threadsIn(item.id).filter((one) => !one.archived);
      const threads = open
        .slice(-THREADS_SHOWN)
        .reverse()
        .map((one) => el("li", {}, this.threadItem(one, one.id === thread)));
      const attrs = {
        type: "button",
        class: "side-item",
        "aria-current": current && !thread ? "page" : null,
        data: { focus: `channel/${item.id}` },
        on: { click: go },
      };
      return el(
        "li",
        {},
        el("button", attrs, icon("hash"), el("span", {}, safeText(item.name))),
        threads.length
          ? el("ul", { class: "side-threads", "aria-label": "Threads" }, ...threads)
          : null,
      );
    });
    $("channels").replaceChildren(...items);
    for (const node of $("channels").querySelectorAll("button"))
      if (node.dataset.focus === focused) node.focus({ preventScroll: true });
    const name = channel ? safeText(store.channelName(channel)) : "No channel";
    $("channel-name").replaceChildren(...(channel ? [icon("hash")] : []), el("span", {}, name));
  }

  threadItem(thread, current) {
    const go = () => {
      this.closeSide();
      this.options.onThread(thread);
    };
    const attrs = {
      type: "button",
      class: "side-thread",
      "aria-current": current ? "page" : null,
      data: { focus: `side/${thread.id}` },
      on: { click: go },
    };
    return el("button", attrs, el("span", {}, safeText(thread.name)));
  }

  app(app) {
    const state = app.connected ? "online" : "offline";
    const dot = el("span", { class: `dot ${state}`, "aria-hidden": "true" });
    const face = el(
      "span",
      { class: "face" },
      avatar(null, app.name, { bot: true, url: app.avatar }),
      dot,
    );
    const badge = el("span", { class: "badge" }, "APP");
    $("side-app").replaceChildren(
      face,
      el(
        "span",
        { class: "person-words" },
        el("span", { class: "person-name" }, safeText(app.name), badge),
        el("span", { class: "person-role" }, app.connected ? "Online" : "Offline"),
      ),
    );
    $("side-app").classList.toggle("away", !app.connected);
    const words = el("span", { class: "state-words" }, safeText(app.name), ` is ${state}`);
    $("app-state").replaceChildren(dot.cloneNode(), words);
    $("app-state").title = `${safeString(app.name)} is ${state}`;
  }

  /** The button that says who one is and lets one be another. */
  who(place, store) {
    const me = store.member(store.me);
    const name = me?.display || me?.name || store.me;
    const role = roleOf(me) || "No role";
    const attrs = {
      type: "button",
      class: "who-btn",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      "aria-label": safeString(`You are ${name}, ${role}. Choose who you are`),
      data: { focus: place.id },
    };
    const button = el(
      "button",
      attrs,
      el("span", { class: "face" }, avatar(store.me, name), el("span", { class: "dot online" })),
      el(
        "span",
        { class: "person-words" },
        el("span", { class: "person-name" }, safeText(name)),
        el("span", { class: "person-role" }, safeText(role)),
      ),
      icon("chevron"),
    );
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-expanded") === "true") return;
      openPopup({
        anchor: button,
        items: store.members().map((person) => this.person(person, store.me)),
        label: "Who you are",
        onPick: (id) => this.options.onMember(id),
      });
    });
    const focused = place.contains(document.activeElement);
    place.replaceChildren(button);
    if (focused) button.focus();
  }

  person(person, me) {
    const name = person.display || person.name;
    const words = el(
      "span",
      { class: "person-words" },
      el("span", { class: "person-name" }, safeText(name)),
      el("span", { class: "person-role" }, safeText(roleOf(person) || "No role")),
    );
    const node = el("span", { class: "person" }, avatar(person.id, name), words);
    return { value: person.id, text: safeString(name), node, selected: person.id === me };
  }

  /** The connection broke; `wait` in ms until the next try, null: it is back. */
  lost(wait) {
    const box = $("lost");
    box.hidden = wait === null;
    const seconds = Math.max(1, Math.round((wait ?? 0) / 1000));
    const words = `The connection to the server is lost. Trying again in ${seconds} s.`;
    box.replaceChildren(...(wait === null ? [] : [icon("warning"), words]));
  }

  /** The state could not be loaded; `text` says why. */
  problem(text) {
    $("lost").hidden = false;
    $("lost").replaceChildren(icon("warning"), text);
  }

  openSide() {
    $("app").classList.add("side-out");
    $("side-open").setAttribute("aria-expanded", "true");
    this.covered();
    $("side-close").focus();
  }

  /** Close the side where it lies over the channel. Returns whether it was open. */
  closeSide() {
    if (!$("app").classList.contains("side-out")) return false;
    $("app").classList.remove("side-out");
    $("side-open").setAttribute("aria-expanded", "false");
    this.covered();
    $("side-open").focus();
    return true;
  }

  /** What lies under the side or the thread takes no focus and is not read out. */
  covered() {
    const out = $("app").classList.contains("side-out") && this.narrow.matches;
    const thread = !$("thread").hidden && this.covering.matches;
    $("channel").inert = out || thread;
    $("thread").inert = out;
    $("side").inert = this.narrow.matches && !out;
  }
}

const roleOf = (person) => (person?.roles ?? []).join(", ");
