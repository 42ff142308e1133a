import { createFakeClock } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/index.ts';
import { StopFeed } from '../src/stop-feed.ts';
import { interceptedStore } from './intercepted-store.ts';

const times = { pollMs: 250, trustMs: 1000 };
const deaf = { heard: () => undefined, missed: () => undefined };

/** A feed that has listened once and cannot again. */
async function cutOff() {
  const clock = createFakeClock();
  const store = interceptedStore(memoryStore());
  const feed = new StopFeed(store, clock, times, deaf);
  await feed.ensureFresh();
  store.intercept(() => Promise.reject(new Error('the store is away')));
  return { clock, feed };
}

describe('the trust of a stop feed, when the wall clock is put back', () => {
  it('holds no longer than without it', async () => {
    const { clock, feed } = await cutOff();
    clock.jump(-3_600_000);
    await clock.advance(times.trustMs - 1);
    expect(feed.isTrusted()).toBe(true);
    await clock.advance(1);
    expect(feed.isTrusted()).toBe(false);
  });

  it('holds no longer when it was put back by less than passed since somebody asked', async () => {
    const { clock, feed } = await cutOff();
    await clock.advance(900);
    clock.jump(-500);
    expect(feed.isTrusted()).toBe(true);
    await clock.advance(100);
    expect(feed.isTrusted()).toBe(false);
  });

  it('ends by the monotonic clock also while no timer can run', async () => {
    const clock = createFakeClock();
    let blockedMs = 0;
    const blocked = { ...clock, monotonicMs: () => clock.monotonicMs() + blockedMs };
    const feed = new StopFeed(memoryStore(), blocked, times, deaf);
    await feed.ensureFresh();
    clock.jump(-3_600_000);
    blockedMs = times.trustMs - 1;
    expect(feed.isTrusted()).toBe(true);
    blockedMs = times.trustMs;
    expect(feed.isTrusted()).toBe(false);
  });

  it('is renewed by listening again', async () => {
    const clock = createFakeClock();
    const feed = new StopFeed(memoryStore(), clock, times, deaf);
    await feed.ensureFresh();
    clock.jump(-3_600_000);
    await clock.advance(10 * times.trustMs);
    expect(feed.isTrusted()).toBe(true);
  });
});
