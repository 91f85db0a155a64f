// The modal of the app: a form over everything else.

import { TYPE } from "./components.js";
import { errorText } from "./controls.js";
import { freshId, showModal } from "./dialog.js";
import { el, icon } from "./dom.js";
import { field, required } from "./fields.js";
import { markdown } from "./markdown.js";
import { APP_ICON } from "./message.js";
import { safeText } from "./text.js";

const CONTROLS = "input, textarea, .select";

export class Modals {
  /** `env`: `store` and `api`. */
  constructor(env) {
    this.env = env;
    this.modal = null;
    this.closeDialog = null;
  }

  /** Show the modal this member has, or none. */
  show(modal) {
    if (modal && this.modal?.id === modal.id) return;
    this.closeAll();
    if (modal) this.open(modal);
  }

  closeAll() {
    this.modal = null;
    this.closeDialog?.();
    this.closeDialog = null;
  }

  open(modal) {
    this.modal = modal;
    this.values = new Map();
    this.fields = new Map();
    const titleId = freshId("modal");
    this.banner = el("div", { class: "modal-failed", role: "alert" });
    this.submit = el(
      "button",
      { type: "submit", class: "btn btn-primary" },
      el("span", { class: "btn-label" }, "Submit"),
    );
    const leave = () => this.leave();
    const on = { click: leave };
    const cancel = { type: "button", class: "btn btn-secondary", on };
    const cross = { type: "button", class: "icon-btn", "aria-label": "Close", on };
    const { app } = this.env.store;
    const form = el(
      "form",
      { novalidate: true },
      el(
        "div",
        { class: "dialog-head" },
        el("img", { class: "avatar", src: app.avatar ?? APP_ICON, alt: "" }),
        el("h2", { class: "dialog-title", id: titleId }, safeText(modal.title)),
        el("button", cross, icon("close")),
      ),
      el("div", { class: "dialog-body" }, ...modal.components.map((spec) => this.part(spec))),
      this.banner,
      el("div", { class: "dialog-foot" }, el("button", cancel, "Cancel"), this.submit),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    const attrs = { class: "modal", "aria-labelledby": titleId, tabindex: "-1" };
    const dialog = el("dialog", attrs, form);
    this.closeDialog = showModal(dialog, leave);
    (dialog.querySelector(`.field :is(${CONTROLS})`) ?? dialog).focus({ preventScroll: true });
  }

  /** A text, or a field under its label. The older shape is a row with one text field. */
  part(spec) {
    if (spec.type === TYPE.TEXT)
      return el("div", { class: "text" }, markdown(spec.content, this.env.store));
    const inner = spec.type === TYPE.ROW ? spec.components[0] : spec.component;
    if (!inner) return el("span", { class: "unsupported" }, `[component of type ${spec.type}]`);
    return this.field(inner, spec.label ?? inner.label ?? "", spec.description);
  }

  field(spec, label, description) {
    const labelId = freshId("label");
    const aboutId = freshId("about");
    const errorId = freshId("error");
    const names = {
      "aria-labelledby": labelId,
      "aria-describedby": `${description ? aboutId : ""} ${errorId}`.trim(),
      "aria-required": required(spec) ? "true" : null,
    };
    const form = {
      set: (customId, value) => {
        this.values.set(customId, value);
        this.error(customId, null);
      },
      focus: (customId) => `${this.modal.id}/${customId}`,
    };
    const star = required(spec) ? el("span", { class: "star", "aria-hidden": "true" }, " *") : null;
    const error = el("div", { class: "field-error", id: errorId, role: "alert" });
    const control = field(spec, form, names);
    const node = el(
      "div",
      { class: "field", data: { field: spec.custom_id } },
      el("div", { class: "field-label", id: labelId }, safeText(label), star),
      description ? el("div", { class: "field-about", id: aboutId }, safeText(description)) : null,
      control,
      error,
    );
    node.querySelector(".field-label").addEventListener("click", () => {
      const first = node.querySelector(CONTROLS);
      first?.focus();
      if (first?.parentElement.matches(".lone")) first.click();
    });
    this.fields.set(spec.custom_id, { node, error });
    return node;
  }

  /** Say what is wrong beside a field; null takes it back. */
  error(customId, text) {
    const known = this.fields.get(customId);
    if (!known) return;
    known.node.classList.toggle("invalid", Boolean(text));
    for (const control of known.node.querySelectorAll(CONTROLS))
      control.setAttribute("aria-invalid", String(Boolean(text)));
    known.error.replaceChildren(...(text ? [icon("warning"), safeText(text)] : []));
  }

  busy(on) {
    this.submit.setAttribute("aria-busy", String(on));
    this.submit.setAttribute("aria-disabled", String(on));
  }

  say(text) {
    this.banner.replaceChildren(...(text ? [icon("warning"), safeText(text)] : []));
  }

  /** What the person filled in; a field without a value is left out. */
  filled() {
    return Object.fromEntries([...this.values].filter(([, value]) => value !== undefined));
  }

  async send() {
    const { modal } = this;
    if (!modal || this.submit.getAttribute("aria-busy") === "true") return;
    this.busy(true);
    this.say(null);
    for (const customId of this.fields.keys()) this.error(customId, null);
    const answer = await this.env.api.post("submit", { modal: modal.id, values: this.filled() });
    if (this.modal !== modal || answer.ok) return; // it goes when the server says so
    this.busy(false);
    const errors = answer.errors ?? {};
    for (const [customId, text] of Object.entries(errors)) this.error(customId, text);
    const first = [...this.fields].find(([customId]) => errors[customId]);
    if (first) first[1].node.querySelector(CONTROLS)?.focus();
    else this.say(errorText(answer.error));
  }

  /** The app did not take what was submitted; it can be sent again. */
  failed(text) {
    if (!this.modal) return;
    this.busy(false);
    this.say(text || "Something went wrong. Try again.");
  }

  async leave() {
    const { modal } = this;
    if (!modal) return;
    this.closeAll();
    await this.env.api.post("close", { modal: modal.id });
  }
}
