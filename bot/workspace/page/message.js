// One message of a channel or thread: who, when, its blocks, files and replies.

import { Blocks, imageSource } from "./blocks.js";
import { moment } from "./dates.js";
import { freshId } from "./dialog.js";
import { el, icon } from "./dom.js";
import { safeString, safeText } from "./text.js";
import { dayAndClock, timeNode } from "./time.js";

const TONES = 6;
const IMAGE = /\.(?:png|jpe?g|gif|webp)$/i;

/** A person's square with an initial, or the app's icon. */
export function avatar(id, name, bot) {
  if (bot) return el("img", { class: "avatar", src: "/static/app-icon.svg", alt: "" });
  const sum = [...String(id)].reduce((total, char) => total + char.codePointAt(0), 0);
  const initial = [...safeString(name)][0]?.toLocaleUpperCase() ?? "?";
  return el("span", { class: `avatar tone-${sum % TONES}`, "aria-hidden": "true" }, initial);
}

function fileNode(file, host) {
  const name = file.title || file.id;
  const address = file.url ?? host.fileUrl(file.id);
  const source = imageSource(address, host);
  if (!source) return el("div", { class: "file" }, icon("file"), safeText(name));
  const attrs = { class: "file", href: source, download: safeString(name), rel: "noopener" };
  const words = el("span", { class: "file-act" }, "Download");
  const download = el("a", attrs, icon("file"), safeText(name), words);
  const isImage =
    file.alt_txt || IMAGE.test(name) || IMAGE.test(new URL(address, location.href).pathname);
  if (!isImage) return download;
  const image = el("img", { class: "picture", src: source, alt: safeString(file.alt_txt || name) });
  const open = {
    href: source,
    target: "_blank",
    rel: "noopener",
    "aria-label": `Open ${safeString(name)}`,
  };
  const figure = el(
    "figure",
    { class: "image" },
    el("figcaption", {}, safeText(name)),
    el("a", open, image),
  );
  // Described as an image, but the browser cannot show it: it can still be had.
  image.addEventListener("error", () => figure.replaceWith(download));
  return figure;
}

/** The replies of a message in one line, which opens the thread. */
function replyBar(replies, store, onThread) {
  const people = [...new Map(replies.map((reply) => [reply.user, reply])).values()].slice(0, 4);
  const faces = people.map((reply) => avatar(reply.user, store.userName(reply.user), reply.bot));
  const count = replies.length === 1 ? "1 reply" : `${replies.length} replies`;
  const last = replies.at(-1);
  return el(
    "button",
    { type: "button", class: "reply-bar", data: { focus: "thread" }, on: { click: onThread } },
    el("span", { class: "faces" }, ...faces),
    el("span", { class: "reply-count" }, count),
    el("span", { class: "reply-last" }, `last ${dayAndClock(moment(last.ts))}`),
    icon("right"),
  );
}

export class MessageView {
  /**
   * `env`: `store`, `api`, `onThread(message)` or null inside a thread, `onDismiss(message)`.
   */
  constructor(message, env) {
    this.env = env;
    this.message = message;
    this.made = false;
    const host = {
      people: env.store,
      withToken: (url) => env.api.withToken(url),
      fileUrl: (id) => env.api.fileUrl(id),
      press: (ref, value) =>
        env.api.post("press", {
          ...ref,
          message: { channel: this.message.channel, ts: this.message.ts },
          value,
        }),
    };
    this.host = host;
    this.blocks = new Blocks(host);
    this.build();
    this.update(message);
  }

  build() {
    const { message, env } = this;
    const name = env.store.userName(message.user);
    const authorId = freshId("author");
    this.edited = el("span", { class: "edited", title: "This message was changed" }, "(edited)");
    this.files = el("div", { class: "files" });
    this.replies = el("div", { class: "replies" });
    const head = el(
      "div",
      { class: "message-head" },
      el("span", { class: "author", id: authorId }, safeText(name)),
      message.bot ? el("span", { class: "badge" }, "APP") : null,
      timeNode(moment(message.ts)),
      this.edited,
    );
    const dismiss = {
      type: "button",
      class: "text-btn",
      on: { click: () => env.onDismiss(this.message) },
    };
    const only = message.ephemeral
      ? el(
          "div",
          { class: "only-you" },
          icon("eye"),
          "Only visible to you · ",
          el("button", dismiss, "Dismiss"),
        )
      : null;
    const thread = {
      type: "button",
      class: "tool",
      title: "Reply in thread",
      "aria-label": "Reply in thread",
      data: { focus: "reply" },
      on: { click: () => env.onThread(this.message) },
    };
    const tools =
      env.onThread && !message.ephemeral
        ? el("div", { class: "message-tools" }, el("button", thread, icon("thread")))
        : null;
    this.node = el(
      "article",
      {
        class: `message${message.ephemeral ? " ephemeral" : ""}`,
        tabindex: "-1",
        "aria-labelledby": authorId,
        data: { ts: message.ts },
      },
      el("div", { class: "gutter" }, avatar(message.user, name, message.bot), timeNode(moment(message.ts))),
      el("div", { class: "message-main" }, only, head, this.blocks.root, this.files, this.replies),
      tools,
    );
  }

  /** Show the message as it is now, touching only what changed. */
  update(message, replies = []) {
    const said = {
      type: "section",
      block_id: "said",
      text: { type: "mrkdwn", text: message.text },
    };
    const changed =
      this.made && JSON.stringify(message.blocks) !== JSON.stringify(this.message.blocks);
    this.message = message;
    this.blocks.show(message.blocks?.length ? message.blocks : message.text ? [said] : []);
    this.edited.hidden = !message.edited;
    const files = JSON.stringify(message.files ?? []);
    if (files !== this.shownFiles) {
      this.shownFiles = files;
      this.files.replaceChildren(...(message.files ?? []).map((file) => fileNode(file, this.host)));
    }
    this.showReplies(replies);
    if (changed) this.flash();
    this.made = true;
  }

  showReplies(replies) {
    const last = replies.at(-1);
    const shown = last ? `${replies.length}/${last.ts}` : "";
    if (shown === this.shownReplies || !this.env.onThread) return;
    this.shownReplies = shown;
    const focused = this.replies.contains(document.activeElement);
    const open = () => this.env.onThread(this.message);
    this.replies.replaceChildren(...(last ? [replyBar(replies, this.env.store, open)] : []));
    if (focused) this.replies.querySelector("button")?.focus({ preventScroll: true });
  }

  /** Let a changed message be noticed without moving anything. */
  flash() {
    this.node.classList.remove("changed");
    requestAnimationFrame(() => this.node.classList.add("changed"));
  }
}
