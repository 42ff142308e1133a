import type { TestIssuerOptions } from '@outlive/testing';
import { expect, vi } from 'vitest';
import type { IssuerProfile, Journal, Secret, Task } from '../src/index.ts';
import {
  createLatch,
  createWorld,
  type Latch,
  never,
  type Process,
  type ProcessOptions,
  reading,
  untilUnusableMs,
  type World,
} from './world.ts';

export const requestTimeoutMs = 10_000;
export const settleMs = 2000;
export const patienceMs = requestTimeoutMs + settleMs;
/** What others wait for a disk that may hold the response. */
export const graceMs = 60_000;

/** Where on its way a refresh stops for ever, or until somebody opens the latch. */
export interface Stop {
  readonly at: 'discovery' | 'before sending' | 'after presenting' | 'before storing';
  readonly until?: Latch;
}

export interface Setting {
  readonly world: World;
  readonly grantId: string;
  /** The process that looks for a token after the other one vanished. */
  readonly other: Process;
  readonly task: Task;
  /** What the vanished process would answer its caller, were it to come back. */
  readonly vanished: Promise<unknown>;
}

/** A process claims a refresh and vanishes at `stop`; another one looks for a token. */
export async function vanish(
  stop: Stop,
  options: {
    readonly issuer?: TestIssuerOptions;
    readonly profile?: Partial<IssuerProfile>;
    readonly lost?: ProcessOptions;
    readonly other?: ProcessOptions;
  } = {},
): Promise<Setting> {
  const provider = { profile: options.profile ?? {} };
  const world = await createWorld({
    ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
    process: { provider, policy: { requestTimeoutMs, settleMs, journalGraceMs: graceMs } },
  });
  const reached = createLatch();
  const wait = (): Promise<void> => {
    reached.open();
    return stop.until?.opened ?? never();
  };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const isToken = String(input).endsWith('/token');
    if (stop.at === 'discovery' && !isToken) await wait();
    if (stop.at === 'before sending' && isToken) await wait();
    // Held together with its answer: a time-out on this side reaches nothing.
    const response = await globalThis.fetch(input, { ...init, signal: null });
    if (stop.at === 'after presenting' && isToken) await wait();
    return response;
  };
  const lost = world.start({ ...options.lost, provider: { ...provider, fetch } });
  const grantId = await world.grant(lost);
  const task = await world.task(lost);
  world.clock.skip(untilUnusableMs);
  if (stop.at === 'before storing')
    lost.store.intercept(async (call, proceed) => {
      if (call.operation === 'compareAndSwap' && call.index?.status === 'idle') await wait();
      return proceed();
    });
  const vanished = task.getAccessToken(reading).catch((error: unknown) => error);
  await reached.opened;
  if (stop.until === undefined) lost.kill();
  const other = world.start(options.other);
  const found = await other.outlive.task(task.id);
  if (found === undefined) throw new Error('the task is gone');
  return { world, grantId, other, task: found, vanished };
}

/** Reads of the grant so far: each round of a waiting call makes one. */
export function rounds({ store }: Process): number {
  return store.calls.filter(({ operation, key }) => operation === 'get' && key.startsWith('grant'))
    .length;
}

/** Asks for a token. Resolves when the other process has seen the attempt and waits. */
export async function ask({
  other,
  task,
}: Setting): Promise<{ token: ReturnType<Task['getAccessToken']> }> {
  const before = rounds(other);
  const token = task.getAccessToken(reading);
  // Whoever awaits it comes later; until then a refusal must not count as unhandled.
  token.catch(() => undefined);
  await vi.waitFor(() => expect(rounds(other)).toBeGreaterThan(before + 1));
  return { token };
}

/** Asks for a token, lets the other process see the attempt unchanged for the whole wait, and gives its answer. */
export async function tokenAfterPatience(setting: Setting): ReturnType<Task['getAccessToken']> {
  const { token } = await ask(setting);
  setting.world.clock.skip(patienceMs);
  return token;
}

/** Lets the other process look twice more. */
export async function looksAgain({ other }: Setting): Promise<void> {
  const before = rounds(other);
  await vi.waitFor(() => expect(rounds(other)).toBeGreaterThan(before + 1));
}

export function tinyJournal(host: string) {
  const entries = new Map<string, Secret>();
  const journal: Journal = {
    host,
    write: async (attemptId, body) => void entries.set(attemptId, body),
    read: async (attemptId) => entries.get(attemptId),
    erase: async (attemptId) => void entries.delete(attemptId),
  };
  return { journal, entries };
}
