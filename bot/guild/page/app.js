// The page of the local server: joins what is known, what is shown and what people do.

import { Api } from "./api.js";
import { Composer } from "./composer.js";
import { icon } from "./dom.js";
import { Frame } from "./frame.js";
import { Log } from "./log.js";
import { Modals } from "./modal.js";
import { keepRelative } from "./moments.js";
import { Store } from "./store.js";
import { safeText } from "./text.js";

const $ = (id) => document.getElementById(id);
const address = new URL(location.href);
const store = new Store();
const token = address.searchParams.get("token") ?? "";
const api = new Api(token, address.searchParams.get("as"), "server");
const modals = new Modals({ store, api });
const pressed = new Map(); // the message in which an interaction began
const pressing = new Set(); // presses not yet answered
let last = null; // where the newest act was: {channel, message}
let channel = null;
let thread = null; // the id of the open thread
let waiting = null; // events that came while the state was being loaded
let unread = 0;

const env = {
  store,
  api,
  press,
  onThread: (one) => openThread(one.id),
  onDismiss: (id) => dismiss(id),
};
const log = new Log($("scroller"), $("log"), $("pill"), env);
const threadLog = new Log($("thread-scroller"), $("thread-log"), $("thread-pill"), {
  ...env,
  onThread: null,
});

/** What a message box does in the place it stands under. */
function acting(place, list) {
  const act = (name, body) => {
    list.toEnd();
    last = { channel: place(), message: null };
    return api.post(name, { channel: place(), ...body });
  };
  return {
    store,
    say: (text) => act("say", { text }),
    run: (call) => act("command", call),
    complete: (call) => api.post("complete", { channel: place(), ...call }),
  };
}

const composer = new Composer($("composer"), {
  ...acting(() => channel, log),
  label: "Message or slash command",
  placeholder: () => (channel ? `Message #${store.channelName(channel)}` : ""),
});
const threadComposer = new Composer($("thread-composer"), {
  ...acting(() => thread, threadLog),
  label: "Message or slash command in the thread",
  placeholder: () => (thread ? `Message ${store.channelName(thread)}` : ""),
});

const frame = new Frame({
  onMember: (id) => become(id),
  onThread: (one) => openThread(one.id),
  onChannel: (id) => {
    closeThread(false);
    if (id === channel) {
      render();
      return;
    }
    channel = id;
    log.reset();
    render();
  },
});

async function press(message, customId, values) {
  last = { channel: message.channel_id, message: message.id };
  const body = { channel: message.channel_id, message: message.id, custom_id: customId };
  const made = api.post("press", values ? { ...body, values } : body);
  pressing.add(made);
  const answer = await made;
  pressing.delete(made);
  if (answer.interaction) pressed.set(answer.interaction, message.id);
  return answer;
}

/** Forget a private message here and there. */
async function dismiss(id) {
  const kept = store.ephemerals.has(id);
  store.dismiss(id);
  render();
  (thread ? threadComposer : composer).focus();
  if (kept) await api.post("dismiss", { message: id });
}

function render() {
  if (!store.channels.some((known) => known.id === channel))
    channel = store.channels[0]?.id ?? null;
  frame.show(store, channel, thread);
  const added = log.show(store.lines(channel));
  if (added && document.hidden) unread += added;
  showThread();
  composer.refresh();
  threadComposer.refresh();
  title();
}

function title() {
  const name = channel ? `#${store.channelName(channel)} | ${store.guild.name}` : store.guild.name;
  document.title = unread ? `(${unread}) ${name}` : name;
}

function showThread() {
  const known = thread && store.threads.get(thread);
  if (!known) {
    if (thread) closeThread();
    return;
  }
  const lines = store.lines(thread);
  const parent = store.message(known.message_id);
  const count = lines.length === 1 ? "1 message" : `${lines.length || "No"} messages`;
  $("thread-name").replaceChildren(icon("thread"), safeText(known.name));
  threadLog.show(parent ? [parent, ...lines] : lines, parent ? { divider: count } : {});
  const closed = known.locked
    ? "This thread is locked. Only moderators can write here."
    : known.archived
      ? "This thread is archived. Sending a message opens it again."
      : "";
  $("thread-state").hidden = !closed;
  $("thread-state").textContent = closed;
  $("thread-composer").hidden = Boolean(known.locked);
}

function openThread(id) {
  const same = thread === id;
  thread = id;
  $("app").classList.add("with-thread");
  $("thread").hidden = false;
  if (!same) threadLog.reset();
  render();
  frame.covered();
  if (store.threads.get(id)?.locked) $("thread-close").focus();
  else threadComposer.focus();
}

function closeThread(refocus = true) {
  if (!thread) return;
  const id = thread;
  thread = null;
  $("app").classList.remove("with-thread");
  $("thread").hidden = true;
  threadLog.reset();
  frame.covered();
  frame.show(store, channel, null);
  if (!refocus) return;
  const chips = [...$("log").querySelectorAll(".thread-chip")];
  const back = chips.find((node) => node.dataset.focus === `thread/${id}`);
  if (back) back.focus({ preventScroll: true });
  else composer.focus();
}

/** What the server tells this member: beneath the message it is about, or as a line. */
async function notice(event) {
  // It can come before the answer that says which press it is about.
  if (event.interaction && !pressed.has(event.interaction)) await Promise.all(pressing);
  const about = pressed.get(event.interaction);
  const message = about ?? (event.interaction ? null : last?.message);
  const shown = message
    ? [log, threadLog].map((list) => list.fail(message, event.text)).some(Boolean)
    : false;
  if (shown) return;
  store.notice(event.channel ?? last?.channel ?? channel, event.text);
  render();
}

function onEvent(event) {
  if (waiting) {
    waiting.push(event);
    return;
  }
  if (event.type === "resync") {
    reload();
  } else if (event.type === "notice") {
    notice(event);
  } else if (event.type === "modal_failed") {
    modals.failed(event.text);
  } else if (store.apply(event)) {
    if (event.type === "modal") modals.show(store.modal);
    else render();
  } else {
    console.warn("An event of an unknown type was not shown:", event.type);
  }
}

/** Load the whole state. Resolves to false where trying again cannot help. */
async function reload() {
  waiting ??= [];
  try {
    const state = await api.state();
    store.load(state);
    if (!api.as) remember(state.me);
    render();
    modals.show(store.modal);
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
  closeThread(false);
  log.reset();
  store.notices.clear();
  pressed.clear();
  last = null;
  if (await reload()) connect();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (frame.closeSide()) return;
  if (thread) closeThread();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  title();
});
$("thread-close").append(icon("close"));
$("thread-close").addEventListener("click", () => closeThread());
keepRelative(document);

if (await reload()) connect();
composer.focus();
