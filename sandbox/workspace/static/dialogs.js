// The two dialogs: the app's modal, and the question before a button that asks for confirmation.

import { drawBlocks } from "./blocks.js";
import { byId, el } from "./dom.js";
import { drawNodes } from "./nodes.js";

const modal = byId("modal");
const confirmation = byId("confirm");

let shown = null; // The view on screen, with what the page adds: errors, values, busy.

/** Show a view, or change the one on screen; typed text is kept where the same inputs are still there. */
export function showView(view, handlers) {
  const same = shown?.view.id === view.id;
  shown = { view, handlers, values: same ? typed() : {}, errors: {}, error: null, busy: false, opened: new Map() };
  drawView();
  if (!modal.open) modal.showModal();
  if (!same) (modal.querySelector(".field") ?? modal.querySelector(".modal-title")).focus();
}

/** Take the view off the screen; return whether there was one. */
export function hideView() {
  const wasOpen = modal.open;
  shown = null;
  if (wasOpen) modal.close();
  modal.replaceChildren();
  return wasOpen;
}

function drawView() {
  const { view, errors, error, busy } = shown;
  const place = {
    key: view.id,
    busy: null,
    opened: shown.opened,
    errors,
    values: shown.values,
    use: (element, chosen) => during(() => shown.handlers.use(element, typed(), chosen)),
  };
  const close = () => shown.handlers.close();
  modal.replaceChildren(
    el(
      "form",
      { method: "dialog", novalidate: true, on: { submit: onSubmit } },
      el(
        "header",
        { class: "modal-head" },
        el("h2", { class: "modal-title", id: "modal-title", tabindex: -1 }, drawNodes(view.title.nodes)),
        el("button", { class: "plain", type: "button", "aria-label": "Close", on: { click: close } }, "✕"),
      ),
      el(
        "div",
        { class: "modal-body" },
        error && el("p", { class: "act-error", role: "alert", "data-testid": "modal-error" }, error),
        drawBlocks(view.blocks, place),
      ),
      el(
        "footer",
        { class: "modal-foot" },
        el("button", { class: "button", type: "button", "data-testid": "modal-close", on: { click: close } },
          view.close ? drawNodes(view.close.nodes) : "Cancel"),
        view.submit && el("button",
          { class: busy ? "button primary busy" : "button primary", type: "submit", "data-testid": "modal-submit", disabled: busy },
          drawNodes(view.submit.nodes)),
      ),
    ),
  );
}

function typed() {
  const values = {};
  for (const field of modal.querySelectorAll(".field")) {
    values[field.dataset.block] = { [field.dataset.action]: field.value };
  }
  return values;
}

function onSubmit(event) {
  event.preventDefault();
  during(() => shown.handlers.submit(typed()));
}

async function during(work) {
  if (!shown || shown.busy) return;
  const mine = shown;
  mine.values = typed();
  mine.busy = true;
  mine.error = null;
  mine.errors = {};
  drawView();
  const outcome = await work();
  if (shown?.view.id !== mine.view.id) return; // Closed or replaced meanwhile: its outcome is on screen already.
  shown.busy = false;
  shown.error = outcome.error;
  shown.errors = outcome.field_errors ?? {};
  shown.values = typed();
  drawView();
  const first = modal.querySelector("[aria-invalid]") ?? modal.querySelector("[data-testid=modal-submit]");
  first?.focus();
}

modal.addEventListener("cancel", (event) => {
  event.preventDefault();
  shown?.handlers.close();
});

/** Ask before a button acts; resolves to whether the person agreed. */
export function confirmed(question) {
  return new Promise((resolve) => {
    const answer = (yes) => {
      confirmation.close();
      confirmation.replaceChildren();
      resolve(yes);
    };
    const style = question.style === "danger" ? "button danger" : "button primary";
    confirmation.replaceChildren(
      el("header", { class: "modal-head" }, el("h2", { class: "modal-title", id: "confirm-title" }, drawNodes(question.title.nodes))),
      el("div", { class: "modal-body", id: "confirm-text" }, el("div", { class: "text" }, drawNodes(question.text.nodes))),
      el(
        "footer",
        { class: "modal-foot" },
        el("button", { class: "button", type: "button", "data-testid": "confirm-cancel", on: { click: () => answer(false) } },
          drawNodes(question.deny.nodes)),
        el("button", { class: style, type: "button", "data-testid": "confirm-ok", on: { click: () => answer(true) } },
          drawNodes(question.confirm.nodes)),
      ),
    );
    confirmation.oncancel = (event) => {
      event.preventDefault();
      answer(false);
    };
    confirmation.showModal();
    // The cautious answer has the focus: Return must not apply a change by itself.
    confirmation.querySelector("[data-testid=confirm-cancel]").focus();
  });
}
