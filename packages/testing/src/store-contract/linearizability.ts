import assert from 'node:assert/strict';

interface Interval {
  /** When the caller called; a tick of a counter that all callers share. */
  readonly invokedAt: number;
  /** When the caller had the answer. */
  readonly answeredAt: number;
}

/** One operation on a register, as its caller saw it. Written values must be unique. */
export type RegisterOperation = Interval &
  (
    | { readonly type: 'read'; readonly version: number; readonly value: string | null }
    | {
        /** `unknown`: its caller got no answer; whether it was done shows only where somebody read its value. */
        readonly type: 'won' | 'lost' | 'unknown';
        readonly expected: number;
        readonly value: string;
      }
  );

type Win = Extract<RegisterOperation, { expected: number }>;

/**
 * Fails unless the operations can be put into one order that each caller's view agrees with and that respects
 * real time: what was answered before another operation was called comes before it.
 *
 * Versions fix the order of the writes, so no search is needed: every read stands after the write of its
 * version and before the next one, every lost swap after the write that made it lose.
 */
export function assertLinearizable(history: readonly RegisterOperation[]): void {
  const wins = winsByVersion(history);
  const afterWrite = new Map<number, RegisterOperation[]>();
  const place = (version: number, operation: RegisterOperation): void => {
    afterWrite.set(version, [...(afterWrite.get(version) ?? []), operation]);
  };
  for (const operation of history) {
    if (operation.type === 'read') {
      assert.equal(
        operation.value,
        wins.get(operation.version)?.value ?? null,
        `a read of version ${operation.version} returned a value that its writer did not write`,
      );
      place(operation.version, operation);
    } else if (operation.type === 'lost') assertLossExplained(operation, wins);
  }

  let latestInvocation = 0;
  const follow = (operation: RegisterOperation, version: number): void => {
    assert.ok(
      operation.answeredAt > latestInvocation,
      `a ${operation.type} at version ${version} was answered before something that precedes it was called`,
    );
    latestInvocation = Math.max(latestInvocation, operation.invokedAt);
  };
  for (let version = 0; version <= wins.size; version += 1) {
    const win = wins.get(version);
    if (win !== undefined) follow(win, version);
    const reads = afterWrite.get(version) ?? [];
    for (const read of reads.sort((one, other) => one.invokedAt - other.invokedAt))
      follow(read, version);
  }
}

function winsByVersion(history: readonly RegisterOperation[]): Map<number, Win> {
  const wins = new Map<number, Win>();
  const read = new Map<number, string | null>();
  for (const operation of history)
    if (operation.type === 'read') read.set(operation.version, operation.value);
  for (const operation of history) {
    if (operation.type === 'read' || operation.type === 'lost') continue;
    const version = operation.expected + 1;
    const isSeen = read.get(version) === operation.value;
    if (operation.type === 'unknown' && !isSeen) continue;
    assert.equal(wins.has(version), false, `version ${version} was won twice`);
    // Who got no answer may have been served at any time since the call.
    const answeredAt = operation.type === 'won' ? operation.answeredAt : Number.POSITIVE_INFINITY;
    wins.set(version, { ...operation, answeredAt });
  }
  for (let version = 1; version <= wins.size; version += 1)
    assert.ok(wins.has(version), `version ${version} was written by nobody`);
  return wins;
}

/** A swap from `expected` may lose only once somebody else can have written the next version. */
function assertLossExplained(loss: Win, wins: ReadonlyMap<number, Win>): void {
  const winner = wins.get(loss.expected + 1);
  assert.ok(
    winner !== undefined && winner.invokedAt < loss.answeredAt,
    `a swap from version ${loss.expected} lost although nobody had written the next version`,
  );
}
