// The page of the local workspace: joins what is known, what is shown and what people do.

import { Api } from "./api.js";
import { Composer } from "./composer.js";
import { el, icon } from "./dom.js";
import { errorText } from "./elements.js";
import { Frame } from "./frame.js";
import { Home } from "./home.js";
import { Log } from "./log.js";
import { Modals } from "./modal.js";
import { Store } from "./store.js";

const $ = (id) => document.getElementById(id);
const address = new URL(location.href);
const store = new Store();
const token = address.searchParams.get("token") ?? "";
const api = new Api(token, address.searchParams.get("as"), "workspace");
const modals = new Modals({ store, api });
const home = new Home({ store, api });
let channel = null;
let thread = null; // {channel, ts} of the open thread
let waiting = null; // events that came while the state was being loaded
let unread = 0;

const env = {
  store,
  api,
  repliesOf: (message) => store.replies(message.channel, message.ts, false),
  onThread: (message) => openThread(message),
  onDismiss: (message) => dismiss(store.ephemeralKey(message)),
  onDismissNotice: (notice) => dismiss(notice.id),
};
const log = new Log($("scroller"), $("log"), $("pill"), env);
const threadLog = new Log($("thread-scroller"), $("thread-log"), $("thread-pill"), {
  ...env,
  onThread: null,
  repliesOf: () => [],
});

const composer = new Composer($("composer"), {
  label: "Message or slash command",
  placeholder: "Type / for commands",
  commands: () => store.commands,
  send: (text) => {
    log.toEnd();
    return send(text, null);
  },
});
new Composer($("thread-composer"), {
  label: "Reply in the thread",
  placeholder: "Reply …",
  commands: () => [],
  send: (text) => {
    threadLog.toEnd();
    return send(text, thread);
  },
});

const frame = new Frame({
  onMember: (id) => become(id),
  onChannel: (id) => {
    channel = id;
    closeThread(false);
    log.reset();
    render();
  },
  onHint: (text) => composer.fill(text),
  onHome: () => home.open(),
});

async function send(text, inThread) {
  if (text.startsWith("/")) {
    if (inThread) return "Slash commands work in the channel, not in a thread.";
    const answer = await api.post("command", { channel, text });
    // A command the app left unanswered is told by a notice in the channel.
    return answer.ok || answer.error === "operation_timeout" ? null : errorText(answer.error);
  }
  const where = inThread ? { channel: inThread.channel, thread_ts: inThread.ts } : { channel };
  const answer = await api.post("say", { ...where, text });
  return answer.ok ? null : errorText(answer.error);
}

function dismiss(id) {
  store.dismiss(id);
  render();
  $("composer").querySelector("textarea").focus({ preventScroll: true });
}

function render() {
  if (!store.channels.some((known) => known.id === channel))
    channel = store.channels[0]?.id ?? null;
  frame.show(store, channel);
  const added = log.show(store.channelLog(channel));
  if (added && document.hidden) unread += added;
  showThread();
  title();
}

function title() {
  const name = channel ? `#${store.channelName(channel)} · ${store.team.name}` : store.team.name;
  document.title = unread ? `(${unread}) ${name}` : name;
}

function showThread() {
  const parent = thread && store.message(thread.channel, thread.ts);
  if (!parent) {
    if (thread) closeThread();
    return;
  }
  const replies = store.replies(thread.channel, thread.ts);
  const count = replies.length === 1 ? "1 reply" : `${replies.length} replies`;
  $("thread-channel").textContent = `# ${store.channelName(thread.channel)}`;
  threadLog.show([parent, ...replies], { divider: replies.length ? count : "No replies yet" });
}

function openThread(message) {
  const ts = message.thread_ts ?? message.ts;
  const same = thread?.ts === ts;
  thread = { channel: message.channel, ts };
  $("app").classList.add("with-thread");
  $("thread").hidden = false;
  if (!same) threadLog.reset();
  showThread();
  frame.covered();
  $("thread-composer").querySelector("textarea").focus({ preventScroll: true });
}

function closeThread(refocus = true) {
  if (!thread) return;
  const { ts } = thread;
  thread = null;
  $("app").classList.remove("with-thread");
  $("thread").hidden = true;
  threadLog.reset();
  frame.covered();
  if (!refocus) return;
  const from = [...$("log").children].find((node) => node.dataset.ts === ts);
  const back = from?.querySelector(".reply-bar") ?? from?.querySelector(".tool");
  (back ?? $("composer").querySelector("textarea")).focus({ preventScroll: true });
}

/** A line in the corner for what happens out of sight. */
function toast(text, act, onAct) {
  const node = el("div", { class: "toast" }, el("span", {}, text));
  const done = () => node.remove();
  if (act) {
    const run = () => {
      done();
      onAct();
    };
    node.append(el("button", { type: "button", class: "text-btn", on: { click: run } }, act));
  }
  const cross = { type: "button", class: "icon-btn", "aria-label": "Dismiss", on: { click: done } };
  node.append(el("button", cross, icon("close")));
  $("toasts").append(node);
}

function onEvent(event) {
  if (waiting) {
    waiting.push(event);
    return;
  }
  if (event.type === "resync") {
    reload();
  } else if (event.type === "notice") {
    store.notice(event.channel ?? channel, event.text);
    render();
  } else if (event.type === "view_errors") {
    modals.viewErrors(event.view_id, event.errors);
  } else if (store.apply(event)) {
    if (event.type === "view") modals.show(store.view);
    else if (event.type === "home") home.show(store.home);
    else render();
    if (event.type === "ephemeral") tellHidden(event.message);
  } else {
    console.warn("An event of an unknown type was not shown:", event.type);
  }
}

/** An ephemeral reply in a thread that is not open would go unseen. */
function tellHidden(message) {
  if (!message.thread_ts || message.thread_ts === message.ts || thread?.ts === message.thread_ts)
    return;
  toast("There is a reply only you can see, in a thread.", "Open it", () => openThread(message));
}

/** Load the whole state. Resolves to false where trying again cannot help. */
async function reload() {
  waiting ??= [];
  try {
    const state = await api.state();
    store.load(state);
    if (!api.as) remember(state.me);
    render();
    modals.show(store.view);
  } catch (error) {
    frame.problem(error.message);
    if (error.final) api.stop();
    return !error.final;
  } finally {
    const events = waiting;
    waiting = null;
    for (const event of events) onEvent(event);
  }
  return true;
}

function remember(id) {
  api.as = id;
  address.searchParams.set("as", id);
  history.replaceState(null, "", address);
}

function connect() {
  api.listen({
    onOpen: () => {
      frame.lost(null);
      reload();
    },
    onEvent,
    onLost: (wait) => frame.lost(wait),
  });
}

/** Be another member: everything is loaded again as they see it. */
async function become(id) {
  if (id === store.me) return;
  api.stop();
  remember(id);
  modals.closeAll();
  home.leave();
  closeThread(false);
  log.reset();
  if (await reload()) connect();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (frame.closeRail()) return;
  if (thread) closeThread();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  title();
});
$("thread-close").append(icon("close"));
$("thread-close").addEventListener("click", () => closeThread());

if (await reload()) connect();
composer.area.focus({ preventScroll: true });
