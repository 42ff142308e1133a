import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Statements } from './statements.ts';

/** A write that waits for its commit. */
export interface PendingWrite {
  readonly startedAt: number;
  /** Runs the statements; what they answer is kept until the commit has held. */
  apply(statements: Statements): void;
  acknowledge(): void;
  fail(error: unknown): void;
}

/** The writes of this process, in order. */
export interface WriteQueue {
  add<T>(operation: (statements: Statements) => T): Promise<T>;
  /** Resolves when nothing waits. */
  idle(): Promise<void>;
}

const largestBatch = 64;

/**
 * One batch at a time: a second writer of this process could only compete with the first for the same lock. What
 * was asked for in one turn of the event loop is committed together, for the price of one flush to the disk.
 *
 * @param commit applies a batch; it acknowledges or fails each write, or throws for all that are left.
 */
export function createWriteQueue(
  commit: (batch: readonly PendingWrite[]) => Promise<void>,
): WriteQueue {
  const waiting: PendingWrite[] = [];
  let draining: Promise<void> | undefined;

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      // Callers whose turn comes now may still join.
      await nextTurn();
      const batch = waiting.splice(0, largestBatch);
      try {
        await commit(batch);
      } catch (error) {
        for (const write of batch) write.fail(error);
      }
    }
    draining = undefined;
  };

  return {
    add: (operation) =>
      new Promise((resolve, reject) => {
        let answer: { readonly value: ReturnType<typeof operation> } | undefined;
        waiting.push({
          startedAt: performance.now(),
          apply(statements) {
            answer = { value: operation(statements) };
          },
          acknowledge() {
            if (answer !== undefined) resolve(answer.value);
          },
          fail: reject,
        });
        draining ??= drain();
      }),
    async idle() {
      await draining;
    },
  };
}

/** When the longest-waiting write of a batch was asked for: the bound of its wait counts from there. */
export function oldest(batch: readonly PendingWrite[]): number {
  return Math.min(...batch.map(({ startedAt }) => startedAt));
}

/**
 * Applies a batch in one transaction. A statement that fails undoes the batch; answers `false` then, for each write
 * to be tried alone, so that none fails for another. A failed commit throws for all: whether it held is not known,
 * and a swap that is tried again would be told that it lost against itself.
 *
 * @throws SQLite's busy error, having changed nothing.
 */
export function commitTogether(
  database: DatabaseSync,
  statements: Statements,
  batch: readonly PendingWrite[],
): boolean {
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const write of batch) write.apply(statements);
  } catch {
    // The error comes again where it belongs: to the one write that causes it. Some, e.g. a full disk, have rolled
    // back already.
    if (database.isTransaction) database.exec('ROLLBACK');
    return false;
  }
  try {
    database.exec('COMMIT');
  } finally {
    if (database.isTransaction) database.exec('ROLLBACK');
  }
  for (const write of batch) write.acknowledge();
  return true;
}

/** Applies one write, which SQLite commits by itself. @throws SQLite's errors. */
export function commitAlone(statements: Statements, write: PendingWrite): void {
  write.apply(statements);
  write.acknowledge();
}
