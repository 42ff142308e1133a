import { type RecordIndex, StoreError } from '@outlive/core';
import type { Keyspace } from './keyspace.ts';
import { indexArguments } from './records.ts';
import {
  type Command,
  type Outcome,
  type RedisConnection,
  replyOf,
  replyTo,
} from './redis-connection.ts';
import { replyCode } from './redis-error.ts';
import {
  appendScript,
  compareAndSwapScript,
  forgetScript,
  type Script,
  trimScript,
} from './scripts.ts';

/** Runs the scripts that write, and waits for replicas where that is asked for. */
export interface Writer {
  compareAndSwap(
    connection: RedisConnection,
    key: string,
    expectedVersion: number,
    value: string | null,
    index: RecordIndex,
  ): Promise<boolean>;
  append(
    connection: RedisConnection,
    stream: string,
    sequence: number,
    values: readonly string[],
  ): Promise<boolean>;
  /** Nothing waits for replicas here: what a failover brings back is removed again. */
  forget(connection: RedisConnection, key: string, version: number): Promise<boolean>;
  trim(connection: RedisConnection, stream: string, fromSequence: number): Promise<void>;
  /**
   * Before a read: makes sure that what this process wrote and was not told of as replicated is on the replicas now.
   * Otherwise a read would show a write as done that a failover may still undo.
   */
  settle(connection: RedisConnection): Promise<void>;
}

/**
 * @param requireReplicas how many replicas have to confirm a write; 0 for none.
 * @param waitMs how long to wait for them.
 */
export function createWriter(parts: {
  readonly keys: Keyspace;
  readonly requireReplicas: number;
  readonly waitMs: number;
}): Writer {
  const { keys, requireReplicas, waitMs } = parts;
  const waiting: Command = ['WAIT', String(requireReplicas), String(Math.ceil(waitMs))];
  let isUnsettled = false;

  const confirmed = async (connection: RedisConnection, command: Command): Promise<unknown> => {
    // Together: on a new connection WAIT would have nothing to wait for, and agree at once.
    const [written, waited] = await connection.sendTogether([command, waiting]);
    try {
      const reply = replyOf(written);
      if (Number(reply) === 0) return reply;
    } catch (error) {
      isUnsettled ||= replyCode(error) === undefined;
      throw error;
    }
    const missed = whyUnconfirmed(waited);
    isUnsettled = missed !== undefined;
    if (missed !== undefined) throw missed;
    return replyOf(written);
  };

  /** An error of WAIT is not one of the write: the write happened, and must not be repeated. */
  const whyUnconfirmed = (waited: Outcome | undefined): StoreError | undefined => {
    try {
      if (Number(replyOf(waited)) >= requireReplicas) return undefined;
      return unconfirmed(requireReplicas, waitMs);
    } catch (cause) {
      return unconfirmed(requireReplicas, waitMs, cause);
    }
  };

  const run = async (
    connection: RedisConnection,
    script: Script,
    rest: readonly string[],
  ): Promise<boolean> => {
    // In full where replicas are waited for: after a refusal (NOSCRIPT) WAIT would wait for nothing, and at length.
    if (requireReplicas === 0) return Number(await runScript(connection, script, rest)) === 1;
    return Number(await confirmed(connection, ['EVAL', script.text, ...rest])) === 1;
  };

  return {
    compareAndSwap: (connection, key, expectedVersion, value, index) =>
      run(connection, compareAndSwapScript, [
        ...['2', keys.record(key), keys.index],
        ...[key, String(expectedVersion), String(expectedVersion + 1)],
        ...[value === null ? '0' : '1', value ?? ''],
        ...indexArguments(index),
      ]),

    append: (connection, stream, sequence, values) =>
      run(connection, appendScript, [
        ...['1', keys.stream(stream)],
        ...[String(sequence - 1), ...values],
      ]),

    forget: async (connection, key, version) =>
      Number(
        await runScript(connection, forgetScript, [
          ...['2', keys.record(key), keys.index],
          ...[key, String(version)],
        ]),
      ) === 1,

    async trim(connection, stream, fromSequence) {
      await runScript(connection, trimScript, [
        '1',
        keys.stream(stream),
        String(Math.max(0, Math.ceil(fromSequence))),
      ]);
    },

    async settle(connection) {
      if (!isUnsettled) return;
      await confirmed(connection, ['SET', keys.fence, '1']);
    },
  };
}

function unconfirmed(count: number, waitMs: number, cause?: unknown): StoreError {
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  return new StoreError(
    'unavailable',
    `Fewer than ${count} replicas of Redis confirmed a write within ${waitMs} ms (requireReplicas)${why}. It is written, ` +
      'but a failover may undo it: read again. Check the replicas.',
    { cause },
  );
}

/** Runs a script by its hash, and in full where the server does not know it. */
async function runScript(
  connection: RedisConnection,
  script: Script,
  rest: readonly string[],
): Promise<unknown> {
  try {
    return await replyTo(connection, ['EVALSHA', script.hash, ...rest]);
  } catch (error) {
    if (replyCode(error) !== 'NOSCRIPT') throw error;
    return replyTo(connection, ['EVAL', script.text, ...rest]);
  }
}
