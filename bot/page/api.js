// The member API of a local chat: acting as one of its people, and hearing what happens.

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8000;
const REFUSED = {
  403: "This address has no valid token. Open the one the demo printed.",
  404: "This address does not say who you are. Add &as= and a member's user id to it.",
};

export class Api {
  /**
   * `token` is the page's own, from its address; `as` the member, or null for the default one;
   * `place` the word for what is at the other end, in sentences to show.
   */
  constructor(token, as, place) {
    this.token = token;
    this.as = as;
    this.place = place;
    this.socket = null;
    this.wait = FIRST_WAIT_MS;
    this.timer = null;
  }

  address(path, params = {}) {
    const url = new URL(path, location.href);
    for (const [name, value] of Object.entries(params))
      if (value) url.searchParams.set(name, value);
    return url;
  }

  /** The token goes in a header; only a socket's or an image's address must hold it. */
  headers(more = {}) {
    return { Authorization: `Bearer ${this.token}`, ...more };
  }

  /**
   * The whole state as this member sees it. Throws an Error with a sentence to show; its
   * `final` is true where trying again cannot help.
   */
  async state() {
    let answer;
    try {
      const url = this.address("/member/state", { as: this.as });
      answer = await fetch(url, { headers: this.headers() });
    } catch {
      throw new Error(`The ${this.place} cannot be reached. Is it still running?`);
    }
    if (answer.ok) return answer.json();
    if (answer.status === 404 && this.as) {
      this.as = null; // a member of an earlier run: be the first there is
      return this.state();
    }
    throw Object.assign(
      new Error(REFUSED[answer.status] ?? `The ${this.place} answered ${answer.status}.`),
      {
        final: answer.status in REFUSED,
      },
    );
  }

  /** POST one act. Resolves to `{ok, error?, errors?}`; a network failure is error "unreachable". */
  async post(act, body) {
    try {
      const answer = await fetch(this.address(`/member/${act}`), {
        method: "POST",
        headers: this.headers({ "Content-Type": "application/json" }),
        body: JSON.stringify({ as: this.as, ...body }),
      });
      const data = await answer.json();
      return typeof data.ok === "boolean" ? data : { ok: false, error: `HTTP ${answer.status}` };
    } catch {
      return { ok: false, error: "unreachable" };
    }
  }

  /** The address of an uploaded file, or null without an id. */
  fileUrl(id) {
    return id ? this.address(`/member/file/${encodeURIComponent(id)}`).href : null;
  }

  /** The same address with the token where it is one of the member API. */
  withToken(url) {
    if (url.origin === location.origin && url.pathname.startsWith("/member/")) {
      url.searchParams.set("token", this.token);
    }
    return url.href;
  }

  /**
   * Hear events until `stop`. `onOpen` runs at each connection, `onEvent(event)` for each
   * event, `onLost(ms)` when the connection broke, with the wait before the next try.
   */
  listen({ onOpen, onEvent, onLost }) {
    const url = this.address("/member/events", { as: this.as, token: this.token });
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.wait = FIRST_WAIT_MS;
      onOpen();
    });
    socket.addEventListener("message", (message) => onEvent(JSON.parse(message.data)));
    socket.addEventListener("close", () => {
      if (this.socket !== socket) return;
      const wait = this.wait * (0.75 + Math.random() / 2); // spread, so tabs do not knock at once
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
      onLost(wait);
      this.timer = setTimeout(() => this.listen({ onOpen, onEvent, onLost }), wait);
    });
  }

  /** Stop hearing events. */
  stop() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}
