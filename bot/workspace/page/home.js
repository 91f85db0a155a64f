// The app's Home: what the app published for this member, in a window of its own.

import { Blocks } from "./blocks.js";
import { freshId, showModal } from "./dialog.js";
import { el, icon } from "./dom.js";
import { errorText } from "./elements.js";
import { safeText } from "./text.js";

export class Home {
  /** `env`: `store` and `api`. */
  constructor(env) {
    this.env = env;
    this.dialog = null;
  }

  async open() {
    if (this.dialog) return;
    const titleId = freshId("home");
    const cross = {
      type: "button",
      class: "icon-btn",
      "aria-label": "Close",
      on: { click: () => this.leave() },
    };
    this.blocks = new Blocks({
      people: this.env.store,
      withToken: (url) => this.env.api.withToken(url),
      fileUrl: (id) => this.env.api.fileUrl(id),
      press: (ref, value) =>
        this.env.api.post("press", { ...ref, view: { id: this.env.store.home.id }, value }),
      get: () => undefined,
      set: () => {},
    });
    this.body = el("div", { class: "dialog-body" }, el("p", {}, "Opening …"));
    const name = el(
      "h2",
      { class: "dialog-title", id: titleId },
      safeText(this.env.store.app.name),
      " · Home",
    );
    this.dialog = el(
      "dialog",
      { class: "modal", "aria-labelledby": titleId, tabindex: "-1" },
      el("div", { class: "dialog-head" }, name, el("button", cross, icon("close"))),
      this.body,
    );
    this.close = showModal(this.dialog, () => this.leave());
    this.show(this.env.store.home);
    const answer = await this.env.api.post("home", {});
    if (!answer.ok && this.dialog) this.body.replaceChildren(errorText(answer.error));
  }

  /** Show what is published now, where the window is open. */
  show(view) {
    if (!this.dialog || !view) return;
    this.blocks.show(view.blocks);
    if (this.body.firstChild !== this.blocks.root) this.body.replaceChildren(this.blocks.root);
  }

  leave() {
    this.dialog = null;
    this.close?.();
    this.close = null;
  }
}
