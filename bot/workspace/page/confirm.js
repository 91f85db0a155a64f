// The question Block Kit asks before an element acts.

import { freshId, showModal } from "./dialog.js";
import { el } from "./dom.js";
import { plain } from "./text.js";

/**
 * Ask as a confirmation dialog object of Block Kit says. `body` renders its text object.
 * Resolves to true when confirmed. A dangerous act has its focus on the way back.
 */
export function confirmed(confirm, body) {
  return new Promise((resolve) => {
    const titleId = freshId("confirm");
    const textId = freshId("confirm");
    const danger = confirm.style === "danger";
    const deny = el("button", { type: "button", class: "btn" }, plain(confirm.deny ?? "Cancel"));
    const yes = el(
      "button",
      { type: "button", class: `btn ${danger ? "btn-danger" : "btn-primary"}` },
      plain(confirm.confirm ?? "Confirm"),
    );
    const dialog = el(
      "dialog",
      {
        class: "confirm",
        role: "alertdialog",
        "aria-labelledby": titleId,
        "aria-describedby": textId,
      },
      el("h2", { class: "dialog-title", id: titleId }, plain(confirm.title)),
      el("div", { class: "dialog-body", id: textId }, body(confirm.text)),
      el("div", { class: "dialog-foot" }, deny, yes),
    );
    let close = () => {};
    const answer = (value) => {
      close();
      resolve(value);
    };
    deny.addEventListener("click", () => answer(false));
    yes.addEventListener("click", () => answer(true));
    close = showModal(dialog, () => answer(false));
    (danger ? deny : yes).focus();
  });
}
