// Draws the nodes that the server made of mrkdwn, plain text and rich_text. Nothing is interpreted here.

import { el } from "./dom.js";
import { full, spell } from "./dates.js";

/** Return the drawn nodes; text nodes are text, whatever they contain. */
export function drawNodes(nodes) {
  return nodes.map(draw);
}

const wrapped = { bold: "strong", italic: "em", strike: "s", underline: "u", code: "code" };

function draw(node) {
  switch (node.t) {
    case "text":
      return document.createTextNode(node.s);
    case "emoji":
      return el("span", { class: "emoji" }, node.s);
    case "br":
      return el("br");
    case "section":
      return el("p", {}, drawNodes(node.c));
    case "quote":
      return el("blockquote", {}, drawNodes(node.c));
    case "pre":
      return pre(node);
    case "list":
      return list(node);
    case "link":
      return link(node.url, drawNodes(node.c));
    case "date":
      return date(node);
    case "user":
    case "group":
    case "channel":
    case "broadcast":
      return mention(node);
    default:
      return el(wrapped[node.t] ?? "span", {}, drawNodes(node.c ?? []));
  }
}

function mention(node) {
  const text = node.t === "broadcast" ? `@${node.s}` : node.s;
  const mine = node.me || node.t === "broadcast";
  return el("span", { class: mine ? "mention mine" : "mention", "data-mention": node.t }, text);
}

function link(url, children) {
  const outside = { target: "_blank", rel: "noopener noreferrer" };
  const here = new URL(url, location.href).origin === location.origin;
  return el("a", { href: url, ...(here ? { "data-permalink": true } : outside) }, children);
}

function date(node) {
  const text = spell(node.ts, node.format);
  const made = el("time", { datetime: new Date(node.ts * 1000).toISOString(), title: full(node.ts) }, text);
  return node.url ? link(node.url, [made]) : made;
}

function list(node) {
  const attributes = { class: `indent-${Math.min(node.indent, 8)}` };
  if (node.ordered) attributes.start = node.start;
  const items = node.items.map((item) => el("li", {}, drawNodes(item)));
  return el(node.ordered ? "ol" : "ul", attributes, items);
}

function pre(node) {
  const body = node.language === "diff" ? diffLines(node.c) : drawNodes(node.c);
  // Focusable, so that a keyboard can scroll a long line into view.
  return el("pre", { tabindex: 0, role: "region", "aria-label": node.language === "diff" ? "Diff" : "Code" }, body);
}

function diffLines(nodes) {
  const lines = [[]];
  for (const node of nodes) {
    if (node.t === "br") lines.push([]);
    else lines.at(-1).push(node);
  }
  return lines.map((line, index) => {
    const sign = line[0]?.s?.[0];
    const kind = { "+": "added", "-": "removed" }[sign] ?? "same";
    return el("span", { class: `diff ${kind}` }, drawNodes(line), index < lines.length - 1 ? "\n" : null);
  });
}
