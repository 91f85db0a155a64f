// What the page knows: the state as loaded, with the events applied to it.

const byTs = (a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0);
const place = (message) => `${message.channel}/${message.ts}`;

export class Store {
  constructor() {
    this.messages = new Map();
    this.ephemerals = new Map();
    this.dismissed = new Set();
    this.notices = [];
    this.team = { name: "" };
    this.me = null;
    this.people = new Map();
    this.channels = [];
    this.commands = [];
    this.hints = [];
    this.view = null;
    this.home = null;
    this.app = { connected: false, name: "App", bot_user: null };
  }

  /** Take a whole state. Notices and dismissals are the page's own and stay. */
  load(state) {
    this.team = state.team;
    this.me = state.me;
    this.people = new Map(state.members.map((member) => [member.id, member]));
    this.channels = state.channels;
    this.commands = state.commands ?? [];
    this.hints = state.hints ?? [];
    this.messages = new Map(state.messages.map((message) => [place(message), message]));
    this.ephemerals = new Map(state.ephemerals.map((message) => [place(message), message]));
    this.view = state.view ?? null;
    this.home = state.home ?? null;
    this.app = state.app;
  }

  /** Apply one event. Returns false for a type that is not known. */
  apply(event) {
    switch (event.type) {
      case "message":
      case "message_changed":
        this.messages.set(place(event.message), event.message);
        return true;
      case "message_deleted":
        return this.messages.delete(place(event)) || true;
      case "ephemeral":
        this.ephemerals.set(place(event.message), event.message);
        return true;
      case "ephemeral_replaced":
        for (const [key, old] of this.ephemerals)
          if (old.ts === event.old_ts) this.ephemerals.delete(key);
        if (event.message) this.ephemerals.set(place(event.message), event.message);
        return true;
      case "view":
        this.view = event.view;
        return true;
      case "home":
        this.home = event.view;
        return true;
      case "app":
        this.app = { ...this.app, connected: event.connected };
        return true;
      default:
        return false;
    }
  }

  /** Add what the workspace tells this member privately, after the newest message. */
  notice(channel, text) {
    const newest = [...this.messages.values(), ...this.ephemerals.values()]
      .filter((message) => message.channel === channel)
      .reduce((last, message) => (message.ts > last ? message.ts : last), "0");
    const id = `notice-${this.notices.length}`;
    this.notices.push({ id, channel, text, ts: `${newest}~`, at: Date.now() / 1000 });
  }

  dismiss(id) {
    this.dismissed.add(id);
  }

  visibleEphemerals() {
    return [...this.ephemerals.values()].filter((message) => !this.dismissed.has(place(message)));
  }

  /** What stands in a channel outside threads, oldest first. */
  channelLog(channel) {
    const inThread = (message) => message.thread_ts && message.thread_ts !== message.ts;
    const said = [...this.messages.values(), ...this.visibleEphemerals()].filter(
      (message) => message.channel === channel && !inThread(message),
    );
    const notices = this.notices.filter((n) => n.channel === channel && !this.dismissed.has(n.id));
    return [...said, ...notices].sort(byTs);
  }

  /** The replies of a thread, oldest first; `own` adds those only this member sees. */
  replies(channel, ts, own = true) {
    const all = [...this.messages.values(), ...(own ? this.visibleEphemerals() : [])];
    return all.filter((m) => m.channel === channel && m.thread_ts === ts && m.ts !== ts).sort(byTs);
  }

  message(channel, ts) {
    return this.messages.get(`${channel}/${ts}`) ?? null;
  }

  ephemeralKey(message) {
    return place(message);
  }

  member(id) {
    return this.people.get(id) ?? null;
  }

  userName(id) {
    const person = this.people.get(id);
    if (person) return person.real_name || person.name;
    return id === this.app.bot_user ? this.app.name : id;
  }

  channelName(id) {
    return this.channels.find((channel) => channel.id === id)?.name ?? id;
  }

  /** The people one can be or choose, without bots. */
  members() {
    return [...this.people.values()].filter((person) => !person.is_bot);
  }
}
