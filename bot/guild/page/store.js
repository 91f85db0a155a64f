// What the page knows: the state as loaded, with the events applied to it.

// Snowflakes are numbers too large for one; as texts the longer is the larger.
const byId = (a, b) => a.id.length - b.id.length || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
const byTime = (a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp) || byId(a, b);
const byKey = (list) => new Map((list ?? []).map((one) => [one.id, one]));

export class Store {
  constructor() {
    this.guild = { id: "", name: "" };
    this.me = null;
    this.people = new Map();
    this.channels = [];
    this.app = { id: null, name: "App", connected: false, avatar: null };
    this.commands = [];
    this.messages = new Map();
    this.threads = new Map();
    this.ephemerals = new Map();
    this.notices = new Map();
    this.modal = null;
    this.serial = 0;
  }

  /** Take a whole state. Notices are the page's own and stay. */
  load(state) {
    this.guild = state.guild;
    this.me = state.me;
    this.people = byKey(state.members);
    this.channels = state.channels;
    this.app = state.app;
    this.commands = state.commands ?? [];
    this.messages = byKey(state.messages);
    this.threads = byKey(state.threads);
    this.ephemerals = byKey(state.ephemerals);
    this.modal = state.modal ?? null;
  }

  /** Apply one event. Returns false for a type that is not known. */
  apply(event) {
    switch (event.type) {
      case "message":
      case "message_changed":
        this.messages.set(event.message.id, event.message);
        return true;
      case "message_deleted":
        this.messages.delete(event.id);
        return true;
      case "thread":
        this.threads.set(event.thread.id, event.thread);
        return true;
      case "thread_deleted":
        this.threads.delete(event.id);
        return true;
      case "ephemeral":
        this.ephemerals.set(event.message.id, event.message);
        return true;
      case "ephemeral_deleted":
        this.ephemerals.delete(event.id);
        return true;
      case "modal":
        this.modal = event.modal;
        return true;
      case "app":
        this.app = { ...this.app, connected: event.connected };
        return true;
      case "commands":
        this.commands = event.commands;
        return true;
      default:
        return false;
    }
  }

  /** Add what only this member is told, after the newest message of a channel. */
  notice(channel, text) {
    this.serial += 1;
    const newest = this.lines(channel).at(-1);
    const at = Math.max(Date.now(), newest ? Date.parse(newest.timestamp) + 1 : 0);
    const id = `notice-${this.serial}`;
    const timestamp = new Date(at).toISOString();
    this.notices.set(id, { id, channel_id: channel, notice: text, timestamp });
  }

  /** Forget a private message or a notice. */
  dismiss(id) {
    this.ephemerals.delete(id);
    this.notices.delete(id);
  }

  /** What stands in a channel or thread for this member, oldest first. */
  lines(channel) {
    return [this.messages, this.ephemerals, this.notices]
      .flatMap((kind) => [...kind.values()])
      .filter((message) => message.channel_id === channel)
      .sort(byTime);
  }

  /** What everyone sees in a thread, oldest first. */
  threadLines(id) {
    return [...this.messages.values()].filter((one) => one.channel_id === id).sort(byTime);
  }

  /** The thread started from this message, or null. */
  threadOf(message) {
    const thread = this.threads.get(message.thread_id ?? message.id);
    return thread && (message.thread_id || thread.message_id === message.id) ? thread : null;
  }

  threadsIn(channel) {
    return [...this.threads.values()].filter((one) => one.parent_id === channel).sort(byId);
  }

  message(id) {
    return this.messages.get(id) ?? null;
  }

  member(id) {
    return this.people.get(id) ?? null;
  }

  members() {
    return [...this.people.values()];
  }

  /** The name that stands in a mention; Discord has this one for who is not here. */
  userName(id) {
    const person = this.people.get(id);
    if (person) return person.display || person.name;
    return id === this.app.id ? this.app.name : "unknown-user";
  }

  roleName() {
    return "unknown-role"; // the member API names people's roles, not their numbers
  }

  channelName(id) {
    const channel = this.channels.find((one) => one.id === id) ?? this.threads.get(id);
    return channel?.name ?? "unknown-channel";
  }
}
