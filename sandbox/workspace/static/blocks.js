// Draws Block Kit. Each block type has one function; an unknown one says that it cannot be drawn.
//
// `place` tells where the blocks stand and what using them does:
//   key        prefix for remembered open containers
//   use        (element, chosen) => void, for buttons and selects
//   busy       action_id that is waiting for the app, or null
//   opened     Map of containers that the viewer opened or closed

import { el } from "./dom.js";
import { button, image, input, select } from "./elements.js";
import { drawNodes } from "./nodes.js";

/** Return drawn blocks. */
export function drawBlocks(blocks, place) {
  return blocks.map((block) => (drawers[block.type] ?? unknown)(block, place));
}

const drawers = {
  header: (block) => el("h3", { class: "block-header" }, drawNodes(block.text.nodes)),
  divider: () => el("hr"),
  section,
  context: (block) => el("div", { class: "block-context" }, block.elements.map(contextPart)),
  actions: (block, place) => el("div", { class: "block-actions" }, block.elements.map((each) => element(each, place))),
  rich_text: (block) => el("div", { class: "rich-text" }, drawNodes(block.nodes)),
  image: (block) => el("figure", {}, block.title && el("figcaption", {}, drawNodes(block.title.nodes)), image(block)),
  table,
  container,
  input,
};

function unknown(block) {
  return el("p", { class: "undrawable" }, `A ${block.type} block, which this page cannot draw.`);
}

function element(each, place) {
  return each.type === "button" ? button(each, place) : select(each, place);
}

function section(block, place) {
  const accessory = block.accessory;
  const text = [
    block.text && el("div", { class: "text" }, drawNodes(block.text.nodes)),
    block.fields && el("div", { class: "fields" }, block.fields.map((field) => el("div", {}, drawNodes(field.nodes)))),
  ];
  return el(
    "div",
    { class: accessory ? "block-section with-accessory" : "block-section" },
    accessory ? el("div", { class: "section-text" }, text) : text,
    accessory && el("div", { class: "accessory" }, accessory.type === "image" ? image(accessory) : element(accessory, place)),
  );
}

function contextPart(part) {
  return part.type === "image" ? image(part) : el("span", { class: "context-text" }, drawNodes(part.nodes));
}

function table(block) {
  const settings = block.column_settings ?? [];
  const row = (cells, tag) =>
    el("tr", {}, cells.map((cell, column) => {
      const setting = settings[column] ?? {};
      const wrap = setting.is_wrapped ? "wrap" : "nowrap";
      return el(tag, { class: `${setting.align ?? "left"} ${wrap}`, scope: tag === "th" ? "col" : null }, cellBody(cell));
    }));
  const [head, ...rows] = block.rows;
  return el(
    "div",
    { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Table" },
    el("table", {}, el("thead", {}, row(head, "th")), el("tbody", {}, rows.map((cells) => row(cells, "td")))),
  );
}

function cellBody(cell) {
  if (cell.type === "rich_text") return drawNodes(cell.nodes);
  return typeof cell.text === "string" ? cell.text : String(cell.value);
}

function container(block, place) {
  const title = block.rich_text_title ? block.rich_text_title.nodes : block.title.nodes;
  const heading = [
    el("span", { class: "container-title" }, drawNodes(title)),
    block.subtitle && el("span", { class: "container-subtitle" }, drawNodes(block.subtitle.nodes)),
  ];
  const body = el("div", { class: "container-body" }, drawBlocks(block.child_blocks, place));
  if (!block.is_collapsible) {
    return el("section", { class: "container" }, el("div", { class: "container-head" }, heading), body);
  }
  const key = `${place.key}/${block.block_id}`;
  const details = el("details", { class: "container", open: place.opened.get(key) ?? !block.default_collapsed },
    el("summary", { class: "container-head" }, heading), body);
  details.addEventListener("toggle", () => place.opened.set(key, details.open));
  return details;
}
