import { type RecordIndex, StoreError } from '@outlive/core';
import type { Keyspace } from './keyspace.ts';
import { indexArguments } from './records.ts';
import { type Command, type RedisConnection, replyOf } from './redis-connection.ts';
import { replyCode } from './redis-error.ts';
import { appendScript, compareAndSwapScript, type Script } from './scripts.ts';

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
    value: string,
  ): Promise<boolean>;
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

  const wait = async (connection: RedisConnection, command: Command): Promise<unknown> => {
    if (requireReplicas === 0) return replyOf((await connection.send([command]))[0]);
    // Together: on a new connection WAIT would have nothing to wait for, and agree at once.
    const [written, waited] = await connection.sendTogether([command, waiting]);
    try {
      const reply = replyOf(written);
      if (Number(reply) === 0) return reply;
      if (Number(replyOf(waited)) < requireReplicas) throw tooFewReplicas(requireReplicas, waitMs);
      isUnsettled = false;
      return reply;
    } catch (error) {
      isUnsettled ||= replyCode(error) === undefined;
      throw error;
    }
  };

  const run = async (
    connection: RedisConnection,
    script: Script,
    rest: readonly string[],
  ): Promise<boolean> => {
    try {
      return Number(await wait(connection, ['EVALSHA', script.hash, ...rest])) === 1;
    } catch (error) {
      if (replyCode(error) !== 'NOSCRIPT') throw error;
      return Number(await wait(connection, ['EVAL', script.text, ...rest])) === 1;
    }
  };

  return {
    compareAndSwap: (connection, key, expectedVersion, value, index) =>
      run(connection, compareAndSwapScript, [
        ...['3', keys.record(key), keys.index, keys.ended],
        ...[key, String(expectedVersion), String(expectedVersion + 1)],
        ...[value === null ? '0' : '1', value ?? ''],
        ...indexArguments(index, value === null),
      ]),

    append: (connection, stream, sequence, value) =>
      run(connection, appendScript, [
        ...['1', keys.stream(stream)],
        ...[String(sequence), String(sequence - 1), value],
      ]),

    async settle(connection) {
      if (!isUnsettled) return;
      await wait(connection, ['SET', keys.fence, '1']);
    },
  };
}

function tooFewReplicas(count: number, waitMs: number): StoreError {
  return new StoreError(
    'unavailable',
    `Fewer than ${count} replicas of Redis confirmed a write within ${waitMs} ms (requireReplicas). It is written, but a ` +
      'failover may undo it: read again. Check the replicas.',
  );
}

/** The reply of a script that changes nothing that replicas would have to confirm. */
export async function runScript(
  connection: RedisConnection,
  script: Script,
  rest: readonly string[],
): Promise<unknown> {
  try {
    return replyOf((await connection.send([['EVALSHA', script.hash, ...rest]]))[0]);
  } catch (error) {
    if (replyCode(error) !== 'NOSCRIPT') throw error;
    return replyOf((await connection.send([['EVAL', script.text, ...rest]]))[0]);
  }
}
