// Modal dialogs: the browser's own <dialog> makes the rest inert; the focus goes round inside
// and returns to where it was.

import { byFocusName, el } from "./dom.js";

const STOPS = "button, input, textarea, a[href], [tabindex='0']";
let serial = 0;

/** A fresh id for labels inside dialogs. */
export function freshId(prefix) {
  serial += 1;
  return `${prefix}-${serial}`;
}

function stops(dialog) {
  return [...dialog.querySelectorAll(STOPS)].filter(
    (node) => !node.disabled && node.tabIndex >= 0 && node.getClientRects().length > 0,
  );
}

function goRound(event, dialog) {
  const all = stops(dialog);
  if (!all.length) return;
  const edge = event.shiftKey ? all[0] : all.at(-1);
  const outside = !dialog.contains(document.activeElement) || document.activeElement === dialog;
  if (document.activeElement !== edge && !outside) return;
  event.preventDefault();
  (event.shiftKey ? all.at(-1) : all[0]).focus();
}

/**
 * Show `dialog` as modal. `onEscape` is called for Escape and decides whether to close.
 * Returns a function that closes it and gives the focus back.
 */
export function showModal(dialog, onEscape) {
  const before = document.activeElement;
  const name = before?.closest?.("[data-focus]")?.dataset.focus;
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Tab") goRound(event, dialog);
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    onEscape();
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    onEscape();
  });
  document.body.append(dialog);
  dialog.showModal();
  return () => {
    if (!dialog.isConnected) return;
    dialog.close();
    dialog.remove();
    const again = before?.isConnected ? before : name ? byFocusName(document, name) : null;
    (again ?? document.querySelector("#composer textarea"))?.focus({ preventScroll: true });
  };
}
