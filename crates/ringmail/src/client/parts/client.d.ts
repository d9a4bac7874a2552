// Types of the module beside this one.

export declare const ANSWER_BYTES_MAX: number;

/** Why a call brought no output. */
export declare class RingmailError extends Error {}

/** What the server says went wrong. */
export declare class Problem extends RingmailError {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly id?: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

export declare class InvalidInput extends Problem {}
export declare class Unauthenticated extends Problem {}
export declare class NotAllowed extends Problem {}
export declare class NotFound extends Problem {}
export declare class TooManyCalls extends Problem {}
export declare class Failed extends Problem {}

/** No whole answer came: no connection, not in time, or not as HTTP has it. */
export declare class Unreachable extends RingmailError {}

/** Pieces of an output, as they come. Leaving the loop early ends the run. */
export declare class Stream<Output> implements AsyncIterable<unknown> {
  private constructor();
  [Symbol.asyncIterator](): AsyncIterator<unknown>;
  /** The output, once all pieces have come. */
  output(): Promise<Output>;
  close(): Promise<void>;
}

/** A run that goes on by itself. */
export declare class Run<Output> {
  private constructor();
  readonly id: string;
  state(): Promise<"running" | "answered" | "ended">;
  cancel(): Promise<void>;
  wait(options?: { timeoutMs?: number; everyMs?: number }): Promise<Output>;
}

export interface CallOptions {
  /** For the whole call. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface ClientOptions {
  key?: string;
  /** For a whole call; 60 seconds unless it says otherwise. */
  timeoutMs?: number;
  fetch?: typeof fetch;
  /** Whether others than this machine are called without TLS. */
  dangerousPlaintext?: boolean;
}

export interface Chain<Input, Output> {
  (input: Input, options?: CallOptions): Promise<Output>;
  stream(input: Input, options?: CallOptions): Promise<Stream<Output>>;
  later(input: Input, options?: CallOptions): Promise<Run<Output>>;
}

export interface OpenChain<Output> {
  (input?: unknown, options?: CallOptions): Promise<Output>;
  stream(input?: unknown, options?: CallOptions): Promise<Stream<Output>>;
  later(input?: unknown, options?: CallOptions): Promise<Run<Output>>;
}
