// Calls chains of a Ringmail server.
//
//     const client = new Client("https://127.0.0.1:8080", { key: "rmk_..." });
//     const answer = await client.NAME({ ... });                // the output, or a Problem is thrown
//     const stream = await client.NAME.stream({ ... });         // pieces as they come; `output` afterwards
//     for await (const piece of stream) { ... }
//     const run = await client.NAME.later({ ... });             // at once; run.wait(), run.state(), run.cancel()
//
// A Uint8Array anywhere in an input is sent as base64. Nothing is tried again, and no redirect is followed.

/** Longer answers, and longer events of a stream, are given up. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Why a call brought no output. */
export class RingmailError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** What the server says went wrong. */
export class Problem extends RingmailError {
  constructor(told, retryAfter) {
    const text = (name) => (typeof told?.[name] === "string" ? told[name] : undefined);
    const [code, title, detail, id] = ["code", "title", "detail", "id"].map(text);
    super(`${title ?? "the server says no more"} (${code ?? "unknown"}${id ? `, id ${id}` : ""})${detail ? `: ${detail}` : ""}`);
    this.status = typeof told?.status === "number" ? told.status : 0;
    this.code = code ?? "unknown";
    this.title = title ?? "the server says no more";
    this.detail = detail;
    this.id = id;
    this.retryAfter = retryAfter;
  }
}

export class InvalidInput extends Problem {}
export class Unauthenticated extends Problem {}
export class NotAllowed extends Problem {}
export class NotFound extends Problem {}
export class TooManyCalls extends Problem {}
export class Failed extends Problem {}

/** No whole answer came: no connection, not in time, or not as HTTP has it. */
export class Unreachable extends RingmailError {}

const KINDS = new Map([
  [400, InvalidInput], [413, InvalidInput], [415, InvalidInput], [401, Unauthenticated], [403, NotAllowed],
  [404, NotFound], [429, TooManyCalls],
]);

function problemOf(told, status, retryAfter) {
  const known = told !== null && typeof told === "object" ? { ...told } : {};
  if (status) known.status = status;
  return new (KINDS.get(known.status) ?? Failed)(known, retryAfter);
}

/** An input as JSON, with bytes as base64. */
function written(value) {
  const base64 = (bytes) => {
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) {
      text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    }
    return btoa(text);
  };
  // Buffers of Node have a JSON of their own, which a replacer would see instead.
  const plain = (inner) => {
    if (inner instanceof Uint8Array) return base64(inner);
    if (Array.isArray(inner)) return inner.map(plain);
    if (inner !== null && typeof inner === "object" && typeof inner.toJSON !== "function") {
      return Object.fromEntries(Object.entries(inner).map(([key, item]) => [key, plain(item)]));
    }
    return inner;
  };
  return JSON.stringify(plain(value ?? null));
}

function isHere(host) {
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The pieces of an answer, within its time and size. */
async function* bytesOf(answer) {
  let size = 0;
  const reader = answer.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield [value, (size += value.length)];
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function textOf(answer) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for await (const [bytes, size] of bytesOf(answer)) {
    if (size > ANSWER_BYTES_MAX) throw new Unreachable(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    text += decoder.decode(bytes, { stream: true });
  }
  return text + decoder.decode();
}

/** What was told with this status; any other is a problem. */
async function toldOf(answer, status) {
  let told;
  try {
    const text = await textOf(answer);
    told = text === "" ? null : JSON.parse(text);
  } catch (error) {
    if (answer.status === status) throw error instanceof RingmailError ? error : new Unreachable(error.message, { cause: error });
  }
  if (answer.status === status) return told;
  const wait = Number.parseInt(answer.headers.get("retry-after") ?? "", 10);
  throw problemOf(told, answer.status, Number.isNaN(wait) ? undefined : wait);
}

/** Pieces of an output, as they come. Leaving the loop early ends the run. */
export class Stream {
  #answer;
  #ended = false;
  #output;

  constructor(answer) {
    this.#answer = answer;
  }

  async *[Symbol.asyncIterator]() {
    try {
      yield* this.#events();
    } catch (error) {
      throw error instanceof RingmailError ? error : new Unreachable(error.message, { cause: error });
    }
  }

  async *#events() {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let [rest, event] = ["", ""];
    for await (const [bytes] of bytesOf(this.#answer)) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop();
      if (rest.length > ANSWER_BYTES_MAX) throw new Unreachable(`an event is larger than ${ANSWER_BYTES_MAX} bytes`);
      for (const line of lines) {
        if (line.startsWith("event: ")) event = line.slice(7);
        if (!line.startsWith("data: ")) continue;
        const data = JSON.parse(line.slice(6));
        if (event === "piece") yield data;
        if (event === "problem") throw problemOf(data, 0);
        if (event === "output") {
          [this.#output, this.#ended] = [data, true];
          return;
        }
      }
    }
    throw new Unreachable("the stream broke off");
  }

  /** The output, once all pieces have come. */
  async output() {
    if (!this.#ended) for await (const _ of this);
    return this.#output;
  }

  async close() {
    await this.#answer.body?.cancel().catch(() => {});
  }
}

/** A run that goes on by itself. */
export class Run {
  #ask;

  constructor(id, ask) {
    this.id = id;
    this.#ask = ask;
  }

  /** `running`, `answered` or `ended`. */
  async state() {
    return (await this.#ask("GET", 200)).state;
  }

  async cancel() {
    await this.#ask("DELETE", 202);
  }

  /** The output, asked for again and again; a problem is thrown. */
  async wait({ timeoutMs = Infinity, everyMs = 500 } = {}) {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const told = await this.#ask("GET", 200);
      if (told.state === "answered") return told.output;
      if (told.state === "ended") throw problemOf(told.problem, 0);
      if (Date.now() + everyMs > until) throw new Unreachable("the run goes on; nobody waits for it any more");
      await new Promise((go) => setTimeout(go, everyMs));
    }
  }
}

/** Asks one server; `timeoutMs` is for a whole call. */
function asker(url, { key, timeoutMs = 60_000, fetch: fetches = globalThis.fetch, dangerousPlaintext = false } = {}) {
  const base = new URL(url);
  if (!["http:", "https:"].includes(base.protocol) || base.username || base.search || base.hash) {
    throw new TypeError("the URL is `https://HOST:PORT`, without user or query");
  }
  if (base.protocol === "http:" && !dangerousPlaintext && !isHere(base.hostname)) {
    throw new TypeError("without TLS only this machine is called, unless `dangerousPlaintext` is set");
  }
  const root = base.href.replace(/\/+$/, "");
  return async (method, path, headers, body, options = {}) => {
    const within = options.timeoutMs ?? timeoutMs;
    const signals = [options.signal, within === Infinity ? undefined : AbortSignal.timeout(within)].filter(Boolean);
    const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
    const known = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const all = { ...headers, ...known };
    try {
      return await fetches(root + path, { method, headers: all, body, signal, redirect: "error", credentials: "omit" });
    } catch (error) {
      throw new Unreachable(error.message, { cause: error });
    }
  };
}

/** A chain, to be called. */
function chain(ask, name) {
  const path = `/chains/${encodeURIComponent(name)}`;
  const post = (input, headers, options) =>
    ask("POST", path, { ...headers, "content-type": "application/json" }, written(input), options);
  const call = async (input, options) => toldOf(await post(input, {}, options), 200);
  const stream = async (input, options) => {
    const answer = await post(input, { accept: "text/event-stream" }, options);
    return answer.status === 200 ? new Stream(answer) : toldOf(answer, 200);
  };
  const later = async (input, options) => {
    const { run } = await toldOf(await post(input, { prefer: "respond-async" }, options), 202);
    const place = `/runs/${encodeURIComponent(run)}`;
    return new Run(run, async (method, status) => toldOf(await ask(method, place, {}), status));
  };
  return Object.assign(call, { stream, later });
}
