// One message: who, when, its text and components, and the thread it started.

import { Components } from "./components.js";
import { freshId } from "./dialog.js";
import { el, icon, keepFocus } from "./dom.js";
import { markdown } from "./markdown.js";
import { moment, saidAt, timeNode } from "./moments.js";
import { safeString, safeText } from "./text.js";

/** The app's picture where it has none of its own. */
export const APP_ICON = new URL("./app-icon.svg", import.meta.url).pathname;
const TONES = 6;
const IMAGE = /\.(?:png|jpe?g|gif|webp)$/i;
const PREVIEW = 90;

/** A person's round with an initial, or the app's picture. */
export function avatar(id, name, { bot = false, url = null } = {}) {
  if (bot) return el("img", { class: "avatar", src: url ?? APP_ICON, alt: "" });
  const sum = [...String(id)].reduce((total, char) => total + char.codePointAt(0), 0);
  const initial = [...safeString(name)][0]?.toLocaleUpperCase() ?? "?";
  return el("span", { class: `avatar tone-${sum % TONES}`, "aria-hidden": "true" }, initial);
}

/** All the text of a message in one line, for where there is room for no more. */
function summary(message) {
  const texts = [];
  const collect = (list) => {
    for (const one of list ?? []) {
      if (one.content) texts.push(one.content);
      collect(one.components);
    }
  };
  collect(message.components);
  // Each by itself: a heading and what stands below it have no space between them in the page.
  const lines = (message.content ? [message.content] : texts).map(
    (text) => el("span", {}, markdown(text, nobody)).textContent,
  );
  const line = lines.join(" ").replace(/\s+/g, " ").trim();
  return line.length > PREVIEW ? `${line.slice(0, PREVIEW)}…` : line;
}
const nobody = { me: null, userName: () => "…", roleName: () => "…", channelName: () => "…" };

function attachmentNode(attachment, source) {
  const name = attachment.filename;
  const words = safeString(attachment.description || name);
  if (source && IMAGE.test(name)) {
    const open = { href: source, target: "_blank", rel: "noopener", "aria-label": `Open ${words}` };
    return el("a", open, el("img", { class: "picture", src: source, alt: words }));
  }
  if (!source) return el("span", { class: "file" }, icon("file"), safeText(name));
  const attrs = { class: "file", href: source, download: safeString(name), rel: "noopener" };
  return el("a", attrs, icon("file"), safeText(name));
}

export class MessageView {
  /**
   * `env`: `store`, `api`, `press(message, custom_id, values)`, `onThread(thread)` or null inside
   * a thread, `onDismiss(id)`.
   */
  constructor(message, env) {
    this.env = env;
    this.message = message;
    this.made = false;
    this.components = new Components({
      people: env.store,
      press: (customId, values) => env.press(this.message, customId, values),
      fail: (text) => this.fail(text),
      focus: (customId) => `${message.id}/${customId}`,
      source: (media) => this.source(media),
    });
    this.build();
  }

  /** The address of an image or file of this message; null for one that is not this server's. */
  source(media) {
    const url = media?.url ?? "";
    const name = /^attachment:\/\/(.+)$/.exec(url)?.[1];
    const named = (this.message.attachments ?? []).find((one) => one.filename === name);
    const parsed = new URL(named?.url ?? url, location.href);
    if (parsed.origin !== location.origin) return null;
    return this.env.api.withToken(parsed);
  }

  build() {
    const { message, env } = this;
    const { author } = message;
    const name = env.store.member(author.id)?.display ?? author.name;
    const authorId = freshId("author");
    const at = moment(message.timestamp);
    const look = { bot: author.bot, url: env.store.app.avatar };
    this.invocation = el("div", { class: "invocation" });
    this.said = el("div", { class: "said" });
    this.files = el("div", { class: "files" });
    this.failure = el("div", { class: "failure", role: "alert" });
    this.chip = el("div", { class: "thread-holder" });
    this.edited = el("span", { class: "edited", title: "This message was changed" }, "(edited)");
    const head = el(
      "div",
      { class: "message-head" },
      el("span", { class: "author", id: authorId }, safeText(name)),
      author.bot ? el("span", { class: "badge" }, "APP") : null,
      timeNode(at),
      this.edited,
    );
    this.node = el(
      "article",
      {
        class: `message${message.ephemeral ? " ephemeral" : ""}`,
        tabindex: "-1",
        "aria-labelledby": authorId,
        data: { id: message.id, focus: `message/${message.id}` },
      },
      this.invocation,
      el("div", { class: "gutter" }, avatar(author.id, name, look), timeNode(at, true)),
      el(
        "div",
        { class: "message-main" },
        head,
        this.said,
        this.components.root,
        this.files,
        this.failure,
        message.ephemeral ? onlyYou(() => env.onDismiss(message.id)) : null,
        this.chip,
      ),
    );
  }

  /** Show the message as it is now, touching only what changed. */
  update(message, thread = null, lines = []) {
    const before = this.message;
    this.message = message;
    keepFocus(this.node, () => {
      this.showInvocation(message.interaction);
      this.showSaid(message);
      this.components.show(message.components);
      this.showFiles(message.attachments ?? []);
      this.showThread(thread, lines);
    });
    if (this.made && before !== message) this.fail(null);
    this.made = true;
  }

  showInvocation(interaction) {
    this.invocation.hidden = !interaction?.name;
    if (!interaction?.name || this.invocation.hasChildNodes()) return;
    const { store } = this.env;
    const user = interaction.user?.id ?? interaction.user;
    const name = store.member(user)?.display ?? String(interaction.user?.name ?? user ?? "");
    const words = el("b", {}, `/${safeString(interaction.name.replace(/^\//, ""))}`);
    this.invocation.append(avatar(user, name), el("span", {}, safeText(name), " used ", words));
  }

  showSaid(message) {
    const sig = JSON.stringify([message.content, message.edited, message.thinking]);
    if (sig === this.shownSaid) return;
    this.shownSaid = sig;
    this.edited.hidden = message.thinking || !message.edited;
    const name = this.env.store.member(message.author.id)?.display ?? message.author.name;
    if (message.thinking) {
      const dots = el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
      const words = el("span", {}, safeText(name), " is thinking…");
      this.said.replaceChildren(el("div", { class: "thinking", role: "status" }, dots, words));
      return;
    }
    const text = message.content ? [markdown(message.content, this.env.store)] : [];
    this.said.replaceChildren(...text);
  }

  showFiles(attachments) {
    const used = JSON.stringify(this.message.components ?? []);
    // A component names a file of its message as it was sent, or as the server gives it back.
    const free = attachments.filter(
      (one) =>
        !used.includes(`"attachment://${one.filename}"`) &&
        !used.includes(`"attachment_id":"${one.id}"`),
    );
    const sig = JSON.stringify(free);
    if (sig === this.shownFiles) return;
    this.shownFiles = sig;
    this.files.replaceChildren(...free.map((one) => attachmentNode(one, this.source(one))));
  }

  /** The thread started here, in a box that opens it. */
  showThread(thread, lines) {
    const last = lines.at(-1);
    const sig = thread && this.env.onThread ? JSON.stringify([thread, lines.length, last]) : "";
    if (sig === this.shownThread) return;
    this.shownThread = sig;
    if (!sig) return this.chip.replaceChildren();
    const count = lines.length === 1 ? "1 Message" : `${lines.length} Messages`;
    const attrs = {
      type: "button",
      class: "thread-chip",
      data: { focus: `thread/${thread.id}` },
      on: { click: () => this.env.onThread(thread) },
    };
    const line = last
      ? [
          avatar(last.author.id, last.author.name, {
            bot: last.author.bot,
            url: this.env.store.app.avatar,
          }),
          el("span", { class: "thread-last-text" }, safeText(summary(last))),
          el("span", { class: "thread-at" }, saidAt(moment(last.timestamp))),
        ]
      : ["No messages yet"];
    return this.chip.replaceChildren(
      el(
        "button",
        attrs,
        el(
          "span",
          { class: "thread-head" },
          el("span", { class: "thread-name" }, safeText(thread.name)),
          el("span", { class: "thread-count" }, `${count} ›`),
        ),
        el("span", { class: "thread-last" }, ...line),
      ),
    );
  }

  /** Say beneath the message that using it went wrong; null takes it back. */
  fail(text) {
    this.failure.replaceChildren(...(text ? [icon("warning"), safeText(text)] : []));
  }
}

/** The line under what only this member sees. */
export function onlyYou(dismiss) {
  const attrs = { type: "button", class: "text-btn", on: { click: dismiss } };
  return el(
    "div",
    { class: "only-you" },
    icon("eye"),
    "Only you can see this · ",
    el("button", attrs, "Dismiss message"),
  );
}
