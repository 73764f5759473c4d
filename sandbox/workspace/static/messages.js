// Draws one message or private note, and keeps a list of them in step with the state.

import { drawBlocks } from "./blocks.js";
import { clock, day, full } from "./dates.js";
import { el } from "./dom.js";
import { drawNodes } from "./nodes.js";

/** Return the element of one message. `context` offers use, busy, opened, errors, replies and openThread. */
export function drawMessage(message, context) {
  const inThread = context.inThread;
  const place = {
    key: message.ts,
    busy: context.busy.get(message.ts) ?? null,
    opened: context.opened,
    use: (element, chosen) => context.use(message, element, chosen),
  };
  const error = context.errors.get(message.ts);
  return el(
    "li",
    {
      class: message.ephemeral ? "message ephemeral" : "message",
      "data-ts": message.ts,
      "data-testid": message.ephemeral ? "ephemeral" : inThread ? `reply-${message.ts}` : `message-${message.ts}`,
      tabindex: -1,
    },
    avatar(message.author),
    el(
      "article",
      { class: "body", "aria-label": `${message.author.name}, ${clock(message.ts)}` },
      message.ephemeral && el("p", { class: "only-you" }, "Only visible to you"),
      byline(message),
      message.blocks.length
        ? el("div", { class: "blocks" }, drawBlocks(message.blocks, place))
        : el("div", { class: "text" }, drawNodes(message.text), message.edited && el("span", { class: "edited" }, " (edited)")),
      error && el("p", { class: "act-error", role: "alert", "data-testid": "act-error" }, error),
      !message.ephemeral && !inThread && threadButton(message, context),
    ),
  );
}

function avatar(author) {
  if (author.app) return el("img", { class: "avatar", src: "/static/icon.svg", alt: "", width: 36, height: 36 });
  const initials = author.name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("");
  const hue = [...author.id].reduce((sum, character) => sum + character.charCodeAt(0), 0) % 6;
  return el("span", { class: `avatar person hue-${hue}`, "aria-hidden": "true" }, initials);
}

function byline(message) {
  return el(
    "p",
    { class: "byline" },
    el("strong", {}, message.author.name),
    message.author.app && el("span", { class: "tag" }, "App"),
    message.author.outsider && el("span", { class: "tag" }, "External"),
    el("time", { datetime: new Date(Number(message.ts) * 1000).toISOString(), title: full(message.ts) }, clock(message.ts)),
  );
}

function threadButton(message, context) {
  const count = context.replies(message.ts);
  const label = count === 0 ? "Reply in thread" : count === 1 ? "1 reply" : `${count} replies`;
  return el(
    "button",
    {
      class: count ? "thread-link" : "thread-link quiet",
      type: "button",
      "data-testid": `thread-${message.ts}`,
      "data-focus": "thread",
      on: { click: () => context.openThread(message.ts) },
    },
    label,
  );
}

/** Put `messages`, in order, into `list`, with a heading for each day. */
export function fillList(list, messages, context) {
  list.replaceChildren();
  for (const message of messages) append(list, message, context);
}

/** Add `message` at the end of `list`; return false, and do nothing, where its place is further up. */
export function addLast(list, message, context) {
  const last = list.querySelector("[data-ts]:last-child");
  if (last && last.dataset.ts > message.ts) return false;
  append(list, message, context);
  return true;
}

function append(list, message, context) {
  const today = day(message.ts);
  if (list.dataset.day !== today || !list.lastChild) {
    list.append(el("li", { class: "day", role: "separator" }, el("span", {}, today)));
  }
  list.dataset.day = today;
  list.append(drawMessage(message, context));
}

/** Draw one message again in place; a focused button keeps the focus, or hands it to its message when it is gone. */
export function redraw(list, message, context) {
  const old = list.querySelector(`[data-ts="${message.ts}"]`);
  if (!old) return false;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const made = drawMessage(message, context);
  old.replaceWith(made);
  if (focused) {
    const again = focused.dataset.focus && made.querySelector(`[data-focus="${CSS.escape(focused.dataset.focus)}"]:not(:disabled)`);
    (again || made).focus({ preventScroll: true });
  }
  return true;
}
