// Requests to the server, with the token of the page's session, and what they say of the connection.
//
// A server that is restarted does not answer; a proxy before it answers 502 to 504 meanwhile. The process that follows
// does not know the token: it answers 403 until a script run has brought another one. What the reader changes is sent
// until a process has answered it.
//
// token, path    of the page's session, as the last script run brought them
// isStored       whether another process has the worklist too
// lost           sentence that says why the session cannot be used, or ""
// trouble        sentence for the reader on the connection, or ""

const RENEW_MS = 3000; // a message to Streamlit is lost while there is no connection, and is sent again
const RENEW_TURNS = 40; // two minutes
const FIRST_PAUSE_MS = 500; // between two attempts; doubled up to the longest
const LONGEST_PAUSE_MS = 5000;

class Connection {
  // page: {changed(), isOpen(), ask(), back()}: draw again; whether the reading page is in sight; ask for a script run;
  // the session can be used again.
  constructor(page) {
    this.page = page;
    this.token = this.path = this.lost = "";
    this.isStored = false;
    this.renewing = null; // Promise, while a session is waited for
    this.last = Promise.resolve(); // the last change of the reader
    this.delays = new Set(); // {why, isChange}: requests without an answer that are sent again
  }

  // Take over what a script run says of the session; returns whether it is another one.
  use({ token, path, stored }) {
    const isOther = token !== this.token;
    Object.assign(this, { token, path, isStored: Boolean(stored), lost: "" });
    return isOther;
  }

  // Whether something that the reader has changed or added could not be sent yet.
  get isUnsent() { return [...this.delays].some((delay) => delay.isChange); }

  // Whether the session has ended for good.
  get isOver() { return Boolean(this.lost) && !this.renewing; }

  get trouble() {
    if (this.lost) return this.renewing && this.isStored ? "The connection to the server was lost. Connecting again." : this.lost;
    const [delay] = this.delays;
    return delay ? `${delay.why} Trying again.` : "";
  }

  async request(path, options = {}) {
    const { token } = this;
    const headers = { ...options.headers, "X-Second-Read-Token": token };
    const response = await fetch(this.path + path, { ...options, headers, cache: "no-store", credentials: "same-origin" });
    // whoever asked reads the response too
    this.note(token, response.status, isEnded(response.status) ? await response.clone().text() : "");
    return response;
  }

  // Note what an answer to a token says of the session.
  note(token, status, text) {
    // an answer to a token of before says nothing of this one
    if (token !== this.token) return;
    if (isEnded(status)) {
      const isNew = !this.lost;
      this.lost = text || "This page has lost its connection to the server. Reload the page.";
      // who has signed out does so again only by the sign-in page
      if (isNew && status === 403) this.renew();
      this.page.changed();
    } else if (this.lost && (status < 300 || status === 304)) {
      // the tab was without a connection for a moment
      this.lost = "";
      this.page.back();
      this.page.changed();
    }
  }

  // Wait until the session can be used again. What is stored, another process has: a script run brings its token.
  renew() {
    const wait = async () => {
      const { token } = this;
      for (let turn = 0; turn < RENEW_TURNS && this.lost && token === this.token;) {
        // on other pages of the app no script run brings one
        if (this.page.isOpen()) {
          turn += 1;
          if (this.isStored) this.page.ask();
        }
        await after(RENEW_MS);
      }
    };
    this.renewing ??= wait().finally(() => {
      this.renewing = null;
      this.page.changed();
    });
    return this.renewing;
  }

  // Send what the reader has changed, after what was changed before, until a process has answered it: its response, or
  // an error where the session has ended. `options()` are those of each attempt.
  deliver(path, options, isAgain = isAway) {
    const answer = this.last.then(() => this.untilAnswered(path, options, isAgain));
    this.last = answer.catch(() => {});
    return answer;
  }

  async untilAnswered(path, options, isAgain) {
    const retry = new Retry(this);
    try {
      for (;;) {
        const { token } = this;
        const response = await this.request(path, options()).catch(() => null);
        if (response && isEnded(response.status)) await this.usable(token, this.isStored);
        else if (!isAgain(response)) return response;
        else await retry.pause(response?.status ?? 0);
      }
    } finally {
      retry.end();
    }
  }

  // Wait for the session after one of its answers has ended it; throws where it is over, or is not to be waited for.
  async usable(token, waits = true) {
    while (waits && token === this.token && this.lost && this.renewing) await after(FIRST_PAUSE_MS);
    if (token === this.token && this.lost) throw new Error(this.lost);
  }
}

// The pauses between attempts to send something, of which the reader is informed.
class Retry {
  constructor(connection, isChange = true) {
    this.connection = connection;
    this.isChange = isChange;
    this.ms = FIRST_PAUSE_MS;
    this.delay = null;
  }

  async pause(status) {
    if (!this.delay) this.connection.delays.add((this.delay = { isChange: this.isChange }));
    this.delay.why = status === 503 ? "The server is busy." : "The server does not answer.";
    this.connection.page.changed();
    await after(this.ms);
    this.ms = Math.min(2 * this.ms, LONGEST_PAUSE_MS);
  }

  end() {
    if (this.delay && this.connection.delays.delete(this.delay)) this.connection.page.changed();
    Object.assign(this, { delay: null, ms: FIRST_PAUSE_MS });
  }
}

// Whether an answer says that the session cannot be used.
function isEnded(status) { return status === 401 || status === 403; }

// Whether no process has dealt with a request: no response, or one of a proxy. Each of our own has an id.
function isAway(response) {
  return !response || (response.status >= 502 && response.status <= 504 && !response.headers.has("X-Request-ID"));
}

// Whether a request for something, after this status (0 without an answer), is worth another attempt.
function isPassing(status) { return status === 0 || status === 408 || status >= 500; }

function after(ms) { return new Promise((done) => setTimeout(done, ms)); }
