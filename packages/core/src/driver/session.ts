import { StoreError } from '../store.ts';
import { createDeadline, type Deadline } from './deadline.ts';

const firstDelayMs = 20;
const longestDelayMs = 500;

/** What is done with a connection. The errors of its commands come out of it, unless they are part of the answer. */
export type Operation<Connection, T> = (connection: Connection) => Promise<T>;

/** An attempt that failed. */
export interface Failure {
  readonly error: unknown;
  /**
   * How far it came: `connect`: nothing was sent. `prepare`: nothing of the operation was sent. `read` and `write`: the
   * operation was, and may have been done.
   */
  readonly stage: 'connect' | 'prepare' | 'read' | 'write';
  /** Whether the answer did not come in time; `error` then says no more. */
  readonly isLate: boolean;
  /** How much of the operation's time is left, ms. */
  readonly leftMs: number;
}

/**
 * A store's use of its server: each operation gets a connection, for a bounded time. What has waited before it came here
 * says since when (`performance.now()`), and has so much less of it.
 */
export interface Session<Connection> {
  /** For what changes nothing. */
  read<T>(operation: Operation<Connection, T>, startedAt?: number): Promise<T>;
  /** For what changes something. */
  write<T>(operation: Operation<Connection, T>, startedAt?: number): Promise<T>;
  /** @throws {StoreError} `unavailable` once closed. */
  assertOpen(): void;
  close(): void;
}

/** What a session needs of the driver. */
export interface SessionParts<Connection> {
  /** What errors call the server, such as `Postgres`. */
  readonly server: string;
  /** How long an operation may take in all, ms. */
  readonly timeoutMs: number;
  /** Gets a connection for one attempt, by its deadline. Until it is there, nothing is sent. */
  readonly connect: (deadline: Deadline) => Promise<Connection>;
  /** Is done once, before the first operation; again if it fails. All that wait for it share the time of the first. */
  readonly prepare: Operation<Connection, void>;
  /** The attempt is over; with `failure`, the connection may be of no use any more. */
  readonly release: (connection: Connection, failure: Failure | undefined) => void;
  /**
   * Whether to try again. Of a write only where it certainly was not done: a repeated swap would find the version that it
   * had written itself, and answer that it lost.
   */
  readonly mayRepeat: (failure: Failure) => boolean;
  /** What the last failure means to the user of the store. */
  readonly errorFrom: (failure: Failure) => unknown;
}

/** Bounds each operation in time, and repeats what may be repeated until the time is up. */
export function createSession<Connection>(parts: SessionParts<Connection>): Session<Connection> {
  const { server, timeoutMs } = parts;
  let prepared: Promise<void> | undefined;
  let closed = false;

  const assertOpen = (): void => {
    if (closed)
      throw new StoreError('unavailable', `This ${server} store is closed; nothing was done.`);
  };

  const attempt = async <T>(
    operation: Operation<Connection, T>,
    stage: Failure['stage'],
    deadline: Deadline,
  ): Promise<T> => {
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, longestDelayMs)) {
      assertOpen();
      const outcome = await attemptOnce(parts, operation, stage, deadline);
      if ('value' in outcome) return outcome.value;
      const { failure } = outcome;
      if (failure.stage === 'connect') assertOpen();
      const isFinal =
        closed ||
        failure.isLate ||
        failure.error instanceof StoreError ||
        !parts.mayRepeat(failure);
      if (isFinal || deadline.leftMs() <= delayMs) throw parts.errorFrom(failure);
      // Jitter, so that processes do not come back in step.
      await pause(delayMs * (0.5 + Math.random()));
    }
  };

  const run = async <T>(
    operation: Operation<Connection, T>,
    stage: 'read' | 'write',
    startedAt?: number,
  ): Promise<T> => {
    assertOpen();
    const deadline = createDeadline(timeoutMs, startedAt);
    prepared ??= attempt(parts.prepare, 'prepare', deadline);
    const preparing = prepared;
    try {
      await preparing;
    } catch (error) {
      if (prepared === preparing) prepared = undefined;
      throw error;
    }
    return attempt(operation, stage, deadline);
  };

  return {
    read: (operation, startedAt) => run(operation, 'read', startedAt),
    write: (operation, startedAt) => run(operation, 'write', startedAt),
    assertOpen,
    close() {
      closed = true;
    },
  };
}

type AttemptOutcome<T> = { readonly value: T } | { readonly failure: Failure };

async function attemptOnce<Connection, T>(
  { connect, release }: SessionParts<Connection>,
  operation: Operation<Connection, T>,
  stage: Failure['stage'],
  deadline: Deadline,
): Promise<AttemptOutcome<T>> {
  let connection: Connection;
  try {
    connection = await connect(deadline);
  } catch (error) {
    return { failure: { error, stage: 'connect', isLate: false, leftMs: deadline.leftMs() } };
  }
  const late = new Error(`no answer came within ${deadline.totalMs} ms`);
  let value: T;
  try {
    value = await deadline.limit(operation(connection), () => late);
  } catch (error) {
    const failure = { error, stage, isLate: error === late, leftMs: deadline.leftMs() };
    release(connection, failure);
    return { failure };
  }
  release(connection, undefined);
  return { value };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
