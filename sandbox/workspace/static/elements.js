// Draws what a person can use inside blocks: buttons, selects and the inputs of a modal; and images, as placeholders.

import { el } from "./dom.js";
import { drawNodes } from "./nodes.js";

/** Return a button; using it asks for confirmation first where the app wants that. */
export function button(element, place) {
  const busy = place.busy === element.action_id;
  const attributes = {
    class: ["button", element.style ?? "", busy ? "busy" : ""].join(" ").trim(),
    "data-testid": element.action_id,
    "data-focus": element.action_id,
    "aria-label": element.accessibility_label,
    "aria-busy": busy ? "true" : null,
  };
  const label = drawNodes(element.text.nodes);
  if (element.url) {
    const link = el("a", { ...attributes, href: safe(element.url), target: "_blank", rel: "noopener noreferrer" }, label);
    link.addEventListener("click", () => place.use(element));
    return link;
  }
  return el("button", { ...attributes, type: "button", disabled: busy, on: { click: () => place.use(element) } }, label);
}

function safe(url) {
  return /^(https?|mailto):/i.test(url) ? url : null;
}

/** Return a select that acts as soon as something is chosen. */
export function select(element, place) {
  const made = options(element, { "data-testid": element.action_id, "data-focus": element.action_id, class: "select" });
  made.setAttribute("aria-label", plain(element.placeholder) || "Choose");
  made.addEventListener("change", () => place.use(element, made.value));
  return made;
}

/** Return one labelled input of a modal, with room for its hint and for what is wrong with it. */
export function input(block, place) {
  const id = `input-${block.block_id}`;
  const error = place.errors?.[block.block_id];
  const attributes = {
    id,
    class: "field",
    "data-block": block.block_id,
    "data-action": block.element.action_id,
    "data-testid": block.element.action_id,
    "aria-invalid": error ? "true" : null,
    "aria-describedby": [block.hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || null,
    "aria-required": block.optional ? null : "true",
  };
  return el(
    "div",
    { class: error ? "block-input wrong" : "block-input" },
    el("label", { for: id }, drawNodes(block.label.nodes), block.optional && el("span", { class: "optional" }, " (optional)")),
    field(block.element, attributes, place.values?.[block.block_id]?.[block.element.action_id]),
    block.hint && el("p", { class: "hint", id: `${id}-hint` }, drawNodes(block.hint.nodes)),
    error && el("p", { class: "field-error", id: `${id}-error`, "data-testid": "field-error" }, error),
  );
}

function field(element, attributes, kept) {
  if (element.type === "static_select") {
    const made = options(element, attributes);
    if (kept !== undefined) made.value = kept;
    return made;
  }
  const shared = {
    ...attributes,
    placeholder: plain(element.placeholder) || null,
    maxlength: element.max_length,
    autofocus: element.focus_on_load,
  };
  const made = element.multiline ? el("textarea", { ...shared, rows: 4 }) : el("input", { ...shared, type: "text" });
  made.value = kept ?? element.initial_value ?? "";
  return made;
}

function options(element, attributes) {
  const option = (each) => el("option", { value: each.value }, plain(each.text));
  const groups = element.option_groups?.map((group) =>
    el("optgroup", { label: plain(group.label) }, group.options.map(option)));
  const made = el("select", attributes, el("option", { value: "" }, plain(element.placeholder) || "Choose an option"),
    groups ?? element.options.map(option));
  made.value = element.initial_option?.value ?? "";
  return made;
}

/** Return a placeholder: images live on other machines, and this page loads nothing from anywhere. */
export function image(part) {
  return el("span", { class: "image", role: "img", "aria-label": part.alt_text }, el("span", { "aria-hidden": "true" }, "▧ "),
    part.alt_text);
}

function plain(text) {
  return (text?.nodes ?? []).map((node) => node.s ?? " ").join("");
}
