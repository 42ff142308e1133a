import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import type { Store } from '@outlive/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sqliteStore } from '../src/index.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A store in use, and a foreign connection that can lock its file. */
async function lockableStore(
  busyTimeoutMs?: number,
): Promise<{ store: Store; other: DatabaseSync }> {
  const path = join(temporaryFolder(), 'store.db');
  const store = sqliteStore({ path, busyTimeoutMs });
  await store.compareAndSwap('known', 0, 'value', { kind: 'grant' });
  const other = new DatabaseSync(path);
  onTestFinished(async () => {
    if (other.isOpen) other.close();
    await store.close();
  });
  return { store, other };
}

describe('while another connection holds the write lock', () => {
  it('a swap waits, the event loop keeps turning, and the swap then succeeds', async () => {
    const { store, other } = await lockableStore();
    other.exec('BEGIN IMMEDIATE');
    let settled = false;
    const swaps = Array.from({ length: 30 }, (_, at) =>
      store.compareAndSwap(`key ${at}`, 0, 'value', { kind: 'grant' }),
    );
    const all = Promise.all(swaps).finally(() => {
      settled = true;
    });
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
    }, 10);
    await wait(600);
    clearInterval(ticking);
    expect(settled).toBe(false);
    // Sixty if nothing blocks; a loop that waits inside SQLite gets a handful.
    expect(ticks).toBeGreaterThan(20);
    other.exec('COMMIT');
    expect(await all).toEqual(swaps.map(() => true));
  });

  it('reads go on, and see the last acknowledged write', async () => {
    const { store, other } = await lockableStore();
    other.exec('BEGIN IMMEDIATE');
    expect((await store.get('known'))?.value).toBe('value');
    other.exec('ROLLBACK');
  });

  it('waiting ends at busyTimeoutMs with an error that says that nothing was written', async () => {
    const { store, other } = await lockableStore(40);
    other.exec('BEGIN IMMEDIATE');
    const swaps = [1, 2, 3].map((at) =>
      store.compareAndSwap(`key ${at}`, 0, 'value', { kind: 'grant' }),
    );
    for (const swap of await Promise.allSettled(swaps))
      expect(swap).toMatchObject({
        status: 'rejected',
        reason: {
          name: 'StoreError',
          code: 'unavailable',
          message: expect.stringMatching(/locked for 40 ms; nothing was written/),
        },
      });
    other.exec('COMMIT');
    expect(await store.get('key 1')).toBeUndefined();
    expect(await store.compareAndSwap('key 1', 0, 'value', { kind: 'grant' })).toBe(true);
  });

  it('close ends the waiting of a swap, which has written nothing', async () => {
    const { store, other } = await lockableStore();
    other.exec('BEGIN IMMEDIATE');
    const swap = store.compareAndSwap('key', 0, 'value', { kind: 'grant' });
    const [outcome] = await Promise.allSettled([swap, store.close()]);
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'unavailable', message: expect.stringContaining('nothing was done') },
    });
    other.exec('COMMIT');
    expect(other.prepare("SELECT key FROM record WHERE key = 'key'").all()).toEqual([]);
  });

  it('a store can be opened for the first time: it waits for the lock as well', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const other = new DatabaseSync(path);
    other.exec('BEGIN EXCLUSIVE');
    const store = sqliteStore({ path });
    const swap = store.compareAndSwap('key', 0, 'value', { kind: 'grant' });
    await wait(30);
    other.exec('ROLLBACK');
    expect(await swap).toBe(true);
    other.close();
    await store.close();
  });
});
