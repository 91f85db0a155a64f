// The views of the app: a stack of modals, of which the top one is shown.

import { Blocks, trouble } from "./blocks.js";
import { freshId, showModal } from "./dialog.js";
import { el, icon } from "./dom.js";
import { errorText } from "./elements.js";
import { plain } from "./text.js";

const FIELDS = "[data-first], input, textarea, .select, .ticks input";

/** One view with what was filled into it; kept while it lies under another. */
class Form {
  constructor(view, env) {
    this.env = env;
    this.view = view;
    this.values = new Map();
    const key = (ref) => JSON.stringify([ref.block_id, ref.action_id]);
    this.blocks = new Blocks({
      people: env.store,
      withToken: (url) => env.api.withToken(url),
      fileUrl: (id) => env.api.fileUrl(id),
      press: (ref, value) => env.api.post("press", { ...ref, view: { id: this.view.id }, value }),
      get: (ref) => this.values.get(key(ref)),
      set: (ref, value) => {
        this.values.set(key(ref), value);
        this.error(ref.block_id, null);
      },
    });
    this.blocks.show(view.blocks);
  }

  update(view) {
    this.view = view;
    this.blocks.show(view.blocks);
  }

  /** What is filled in, null for nothing chosen, for the elements the view has now. */
  filled() {
    const out = {};
    for (const block of this.view.blocks) {
      for (const spec of [block.element, block.accessory, ...(block.elements ?? [])]) {
        const key = JSON.stringify([block.block_id, spec?.action_id]);
        if (spec && this.values.has(key))
          (out[block.block_id] ??= {})[spec.action_id] = this.values.get(key);
      }
    }
    return out;
  }

  box(blockId) {
    return this.blocks?.kept.get(blockId)?.node.querySelector(".input") ?? null;
  }

  error(blockId, text) {
    const box = this.box(blockId);
    if (!box) return;
    box.classList.toggle("invalid", Boolean(text));
    for (const control of box.querySelectorAll("input, textarea, .select")) {
      control.setAttribute("aria-invalid", String(Boolean(text)));
    }
    box.querySelector(".input-error").replaceChildren(...(text ? [trouble(text)] : []));
  }

  /** Show what is wrong beside each field, and go to the first. */
  errors(errors) {
    for (const block of this.view.blocks)
      this.error(block.block_id, errors[block.block_id] ?? null);
    const first = this.view.blocks.find((block) => errors[block.block_id]);
    this.box(first?.block_id)?.querySelector("input, textarea, .select")?.focus();
  }
}

export class Modals {
  /** `env`: `store` and `api`. */
  constructor(env) {
    this.env = env;
    this.stack = [];
    this.dialog = null;
  }

  get top() {
    return this.stack.at(-1) ?? null;
  }

  /** Show what is now on top of the member's stack; null closes all. */
  show(view) {
    if (!view) return this.closeAll();
    const known = this.stack.findIndex((form) => form.view.id === view.id);
    const before = this.top;
    if (known >= 0) {
      this.stack.length = known + 1;
      this.top.update(view);
    } else {
      this.stack.length = Math.min(this.stack.length, Math.max(0, (view.depth ?? 1) - 1));
      this.stack.push(new Form(view, this.env));
    }
    this.render(before !== this.top);
    return undefined;
  }

  closeAll() {
    this.stack = [];
    this.dialog = null;
    this.close?.();
    this.close = null;
  }

  render(fresh) {
    if (!this.dialog) this.open();
    const { view, blocks } = this.top;
    const depth = this.stack.length;
    this.dialog.dataset.depth = String(Math.min(depth, 3));
    this.title.replaceChildren(plain(view.title));
    this.submit.hidden = !view.submit;
    if (view.submit) this.submit.replaceChildren(plain(view.submit));
    this.cancel.replaceChildren(
      plain(view.close ?? (depth > 1 ? "Back" : view.submit ? "Cancel" : "Close")),
    );
    if (!fresh) return;
    this.say(null);
    this.busy(false);
    this.body.replaceChildren(blocks.root);
    this.body.scrollTop = 0;
    (blocks.root.querySelector(FIELDS) ?? this.dialog).focus({ preventScroll: true });
  }

  open() {
    const titleId = freshId("modal");
    this.title = el("h2", { class: "dialog-title", id: titleId });
    this.body = el("div", { class: "dialog-body" });
    this.banner = el("div", { class: "banner", hidden: true });
    this.submit = el("button", { type: "submit", class: "btn btn-primary" });
    this.cancel = el("button", { type: "button", class: "btn", on: { click: () => this.leave() } });
    const cross = {
      type: "button",
      class: "icon-btn",
      "aria-label": "Close",
      on: { click: () => this.leave() },
    };
    const form = el(
      "form",
      { novalidate: true },
      el("div", { class: "dialog-head" }, this.title, el("button", cross, icon("close"))),
      this.banner,
      this.body,
      el("div", { class: "dialog-foot" }, this.cancel, this.submit),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.top?.view.submit) this.send();
    });
    this.dialog = el(
      "dialog",
      { class: "modal", "aria-labelledby": titleId, tabindex: "-1" },
      form,
    );
    this.close = showModal(this.dialog, () => this.leave());
  }

  busy(on) {
    this.submit.setAttribute("aria-busy", String(on));
    this.submit.setAttribute("aria-disabled", String(on));
  }

  say(text) {
    this.banner.hidden = !text;
    this.banner.replaceChildren(...(text ? [trouble(text)] : []));
  }

  async send() {
    const form = this.top;
    if (this.submit.getAttribute("aria-busy") === "true") return;
    this.busy(true);
    this.say(null);
    form.errors({});
    const answer = await this.env.api.post("submit", {
      view_id: form.view.id,
      values: form.filled(),
    });
    if (this.top !== form) return;
    this.busy(false);
    if (answer.ok) return;
    if (answer.errors) form.errors(answer.errors);
    else this.say(errorText(answer.error));
  }

  /** Errors that came by event. */
  viewErrors(viewId, errors) {
    this.stack.find((form) => form.view.id === viewId)?.errors(errors);
  }

  async leave() {
    const form = this.top;
    if (!form) return;
    const answer = await this.env.api.post("close", { view_id: form.view.id });
    // The workspace says what lies below by an event. Where it is out of reach, close here.
    if (!answer.ok && this.top === form) this.closeAll();
  }
}
