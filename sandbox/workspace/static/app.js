// The page: holds the state that the feed sends, and draws channels, messages, thread and dialogs from it.

import { act, follow, RunEnded } from "./api.js";
import { makeComposer } from "./composer.js";
import { confirmed, hideView, showView } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { addLast, fillList, redraw } from "./messages.js";

const state = {
  viewer: sessionStorage.getItem("viewer") ?? "",
  channel: location.hash.slice(1),
  thread: null,
  people: [],
  channels: [],
  commands: [],
  messages: new Map(), // by ts, private notes included
  busy: new Map(), // message ts -> action_id that waits for the app
  errors: new Map(), // message ts -> what went wrong with the last use
  opened: new Map(),
  unread: new Map(),
};

let feed = null;
let lastUse = null; // The message and element used last: where the focus belongs after a modal.

// Drawing.

const inChannel = (message) => message.channel === state.channel;
const inMain = (message) => inChannel(message) && (!message.thread_ts || message.broadcast);
const inThread = (message) => message.thread_ts === state.thread || message.ts === state.thread;

function context(extra = {}) {
  return {
    busy: state.busy,
    errors: state.errors,
    opened: state.opened,
    use,
    openThread,
    replies: (ts) => [...state.messages.values()].filter((each) => each.thread_ts === ts && !each.ephemeral).length,
    ...extra,
  };
}

function sorted(wanted) {
  return [...state.messages.values()].filter(wanted).sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

function drawAll() {
  drawPeople();
  drawChannels();
  drawHead();
  drawMain();
  drawThread();
  toBottom(byId("scroll"));
}

function drawMain() {
  const list = byId("messages");
  keepingFocus(list, () => fillList(list, sorted(inMain), context()));
}

function drawPeople() {
  const select = byId("act-as");
  select.replaceChildren(...state.people.map((person) => el("option", { value: person.id }, `${person.name} (${person.role})`)));
  select.value = state.viewer;
  byId("role").textContent = state.people.find((person) => person.id === state.viewer)?.role ?? "";
}

function drawChannels() {
  const items = state.channels.map((channel) => {
    const unread = state.unread.get(channel.id) ?? 0;
    const current = channel.id === state.channel;
    return el(
      "li",
      {},
      el(
        "button",
        {
          class: unread ? "channel unread" : "channel",
          type: "button",
          "data-testid": `channel-${channel.id}`,
          "data-focus": channel.id,
          "aria-current": current ? "page" : null,
          on: { click: () => openChannel(channel.id) },
        },
        el("span", { class: "sign", "aria-hidden": "true" }, channel.direct ? "●" : channel.private ? "🔒" : "#"),
        el("span", { class: "name" }, channel.name),
        unread > 0 && el("span", { class: "count" }, String(unread), el("span", { class: "sr-only" }, " new")),
      ),
    );
  });
  keepingFocus(byId("channels"), () => byId("channels").replaceChildren(...items));
  const total = [...state.unread.values()].reduce((sum, count) => sum + count, 0);
  const channel = current();
  const place = channel ? `${channel.direct ? "" : "#"}${channel.name}` : "No channel";
  document.title = `${total ? `(${total}) ` : ""}${place} · ${state.team ?? ""} (local stand-in)`;
}

function current() {
  return state.channels.find((channel) => channel.id === state.channel);
}

function drawHead() {
  const channel = current();
  byId("team").textContent = state.team ?? "";
  byId("channel-name").replaceChildren(...(channel ? [channel.direct ? "" : "# ", channel.name] : ["No channel is open to you"]));
  byId("topic").textContent = channel?.topic ?? "";
  byId("viewer").textContent = `You act as ${state.people.find((person) => person.id === state.viewer)?.name ?? ""}`;
  const chips = channel
    ? [
        channel.shared && el("span", { class: "chip warn", title: "People of another company are in this channel" }, "Shared outside"),
        !channel.app_is_member && el("span", { class: "chip warn" }, "App not invited"),
        el("span", { class: "chip" }, `${channel.members} ${channel.members === 1 ? "person" : "people"}`),
      ]
    : [];
  byId("chips").replaceChildren(...chips.filter(Boolean));
  byId("composer").hidden = !channel;
}

function drawThread() {
  const parent = state.messages.get(state.thread);
  const panel = byId("thread");
  panel.hidden = !state.thread || parent?.channel !== state.channel;
  byId("layout").classList.toggle("with-thread", !panel.hidden);
  if (panel.hidden) return;
  byId("thread-place").textContent = `# ${current()?.name ?? ""}`;
  const list = byId("thread-messages");
  keepingFocus(list, () => fillList(list, sorted(inThread), context({ inThread: true })));
  toBottom(byId("thread-scroll"));
}

function drawStatus(lines) {
  byId("status-section").hidden = lines.length === 0;
  byId("status").replaceChildren(
    ...lines.flatMap((line) => [
      el("dt", {}, line.name),
      el("dd", { "data-testid": `status-${line.name}` }, line.text),
    ]),
  );
}

function drawOne(message) {
  redraw(byId("messages"), message, context());
  redraw(byId("thread-messages"), message, context({ inThread: true }));
}

function nearBottom(scroll) {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
}

function toBottom(scroll) {
  scroll.scrollTop = scroll.scrollHeight;
}

// What the feed says.

function onChange(change) {
  if (change.kind === "state") onState(change);
  else if (change.kind === "message") onMessage(change.message);
  else if (change.kind === "deleted") onDeleted(change.ts);
  else if (change.kind === "view") onView(change.view);
  else if (change.kind === "status") drawStatus(change.status);
}

function onState(change) {
  const first = state.messages.size === 0;
  Object.assign(state, { viewer: change.viewer, team: change.team, app: change.app, people: change.people, channels: change.channels, commands: change.commands });
  state.messages = new Map([...change.messages, ...change.ephemerals].map((message) => [message.ts, message]));
  if (!current()) state.channel = state.channels[0]?.id ?? "";
  drawStatus(change.status);
  drawAll();
  onView(change.view);
  if (first) goToPermalink(location);
}

function onMessage(message) {
  const known = state.messages.has(message.ts);
  state.messages.set(message.ts, message);
  state.errors.delete(message.ts);
  if (known) {
    drawOne(message);
    return;
  }
  const scroll = byId("scroll");
  const stay = !nearBottom(scroll);
  if (inMain(message)) {
    const added = addLast(byId("messages"), message, context());
    if (!added) drawMain();
    // An answer to this person is shown even to a reader who is further up: it is what their click or command got.
    if (!stay || message.ephemeral) toBottom(scroll);
  } else if (!inChannel(message)) {
    state.unread.set(message.channel, (state.unread.get(message.channel) ?? 0) + 1);
  }
  if (message.thread_ts) {
    const parent = state.messages.get(message.thread_ts);
    if (parent) redraw(byId("messages"), parent, context());
    if (message.thread_ts === state.thread) drawThread();
  }
  drawChannels();
  announce(message);
}

/** Draw `list` again; what had the focus in it has it afterwards, and never its like in another message. */
function keepingFocus(list, draw) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const ts = focused?.closest("[data-ts]")?.dataset.ts;
  draw();
  if (!focused) return;
  const message = ts && list.querySelector(`[data-ts="${ts}"]`);
  const place = ts ? message : list;
  const again = focused.dataset.focus && place?.querySelector(`[data-focus="${CSS.escape(focused.dataset.focus)}"]`);
  (again || message)?.focus({ preventScroll: true });
}

function announce(message) {
  const where = inChannel(message) ? "" : ` in ${state.channels.find((each) => each.id === message.channel)?.name ?? ""}`;
  const privately = message.ephemeral ? ", only visible to you" : "";
  byId("announcer").textContent = `${message.author.name}${where}${privately}: ${message.summary}`;
}

function onDeleted(ts) {
  state.messages.delete(ts);
  for (const list of [byId("messages"), byId("thread-messages")]) {
    list.querySelector(`[data-ts="${ts}"]`)?.remove();
  }
  if (ts === state.thread) closeThread();
}

function onView(view) {
  if (!view) {
    // Only a dialog that closes gives the focus back: a whole state also comes while somebody types, and their
    // Return would press the button used last.
    if (hideView()) focusLastUse();
    return;
  }
  showView(view, {
    use: (element, values, chosen) => act("view-click", { viewer: state.viewer, action_id: element.action_id, values, chosen }),
    submit: (values) => act("submit", { viewer: state.viewer, values }),
    close: () => act("close", { viewer: state.viewer }),
  });
}

// What the person does.

async function use(message, element, chosen) {
  if (state.busy.has(message.ts)) return;
  lastUse = { ts: message.ts, action: element.action_id };
  if (element.confirm && !(await confirmed(element.confirm))) return focusLastUse();
  state.busy.set(message.ts, element.action_id);
  state.errors.delete(message.ts);
  drawOne(state.messages.get(message.ts) ?? message);
  const outcome = await act("click", {
    viewer: state.viewer,
    channel: message.channel,
    ts: message.ts,
    action_id: element.action_id,
    chosen,
  });
  state.busy.delete(message.ts);
  if (outcome.error) state.errors.set(message.ts, outcome.error);
  const latest = state.messages.get(message.ts);
  if (!latest) return;
  drawOne(latest);
  if (document.activeElement?.dataset.ts === message.ts) focusLastUse();
  if (outcome.error) document.querySelector(`[data-ts="${message.ts}"] [data-testid=act-error]`)?.scrollIntoView({ block: "nearest" });
}

/** Redrawing replaces elements, so the place is looked up again: the element used last, or its message without it. */
function focusLastUse() {
  if (!lastUse || document.querySelector("dialog[open]")) return;
  const message = document.querySelector(`[data-ts="${lastUse.ts}"]`);
  const element = message?.querySelector(`[data-focus="${CSS.escape(lastUse.action)}"]:not(:disabled)`);
  (element || message)?.focus({ preventScroll: true });
}

async function send(text, threadTs) {
  const body = { viewer: state.viewer, channel: state.channel };
  if (text.startsWith("/")) {
    if (threadTs) return "Commands cannot be run in a thread, as on Slack. Use the channel's message box.";
    const command = text.split(/\s/, 1)[0];
    return (await act("command", { ...body, command, text: text.slice(command.length).trim() })).error;
  }
  return (await act("say", { ...body, text, thread_ts: threadTs })).error;
}

function openChannel(id) {
  state.channel = id;
  state.unread.delete(id);
  closeThread();
  history.replaceState(null, "", `${location.pathname}${location.search}#${id}`);
  openSide(false);
  drawAll();
}

function openThread(ts) {
  state.thread = ts;
  drawThread();
  byId("thread-title").focus({ preventScroll: true });
}

function closeThread() {
  const ts = state.thread;
  state.thread = null;
  drawThread();
  byId("messages").querySelector(`[data-testid="thread-${ts}"]`)?.focus({ preventScroll: true });
}

function goToPermalink(address) {
  const found = /^\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})$/.exec(address.pathname);
  if (!found || !state.channels.some((channel) => channel.id === found[1])) return;
  const ts = `${found[2]}.${found[3]}`;
  const thread = new URLSearchParams(address.search).get("thread_ts");
  if (found[1] !== state.channel) openChannel(found[1]);
  if (thread) openThread(thread);
  const message = byId(thread ? "thread-messages" : "messages").querySelector(`[data-ts="${ts}"]`);
  message?.scrollIntoView({ block: "center" });
  message?.focus({ preventScroll: true });
}

function openSide(open) {
  byId("layout").classList.toggle("side-open", open);
  byId("menu").setAttribute("aria-expanded", String(open));
  byId("main").inert = open;
  if (open) byId("act-as").focus();
}

// The connection.

async function connect() {
  feed?.abort();
  const mine = new AbortController();
  feed = mine;
  for (let pause = 500; !mine.signal.aborted; pause = Math.min(pause * 2, 5000)) {
    try {
      await follow(state.viewer, (change) => {
        showConnection(null);
        pause = 500;
        onChange(change);
      }, mine.signal);
    } catch (problem) {
      if (mine.signal.aborted) return;
      if (problem instanceof RunEnded) {
        showConnection("This run is over. Open the address that the new run printed.");
        return;
      }
    }
    if (mine.signal.aborted) return;
    showConnection("The connection to the workspace was lost. Trying again …");
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function showConnection(text) {
  byId("connection").textContent = text ?? "";
  byId("connection").hidden = !text;
}

function actAs(viewer) {
  state.viewer = viewer;
  sessionStorage.setItem("viewer", viewer);
  state.busy.clear();
  state.errors.clear();
  state.unread.clear();
  state.thread = null;
  openSide(false);
  connect();
}

byId("act-as").addEventListener("change", (event) => actAs(event.target.value));
byId("menu").addEventListener("click", () => openSide(true));
byId("side-close").addEventListener("click", () => openSide(false));
byId("thread-close").addEventListener("click", closeThread);
document.addEventListener("click", (event) => {
  // A click beside the open menu, on a phone, closes it.
  const side = byId("layout").classList.contains("side-open") && !event.target.closest?.("#side, #menu");
  if (side) openSide(false);
  const link = event.target.closest?.("a[data-permalink]");
  if (!link) return;
  event.preventDefault();
  goToPermalink(new URL(link.href));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) openSide(false);
});
makeComposer(byId("composer"), {
  id: "composer-text",
  testid: "composer",
  label: "Message or command",
  placeholder: "Message, or / for a command",
  commands: () => state.commands,
  send: (text) => send(text, null),
});
makeComposer(byId("thread-composer"), {
  id: "thread-text",
  testid: "thread-composer",
  label: "Reply",
  placeholder: "Reply …",
  commands: () => [],
  send: (text) => send(text, state.thread),
});
connect();
