import { storeContract } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/memory-store.ts';

describe('memoryStore keeps the store contract', () => {
  for (const { name, run } of storeContract({ open: async () => memoryStore() })) it(name, run);
});

describe('memoryStore', () => {
  it('hands out frozen records, so that nobody can change what is stored', async () => {
    const store = memoryStore();
    await store.compareAndSwap('key', 0, 'value', { kind: 'grant', status: 'idle' });
    const record = await store.get('key');
    expect(Object.isFrozen(record)).toBe(true);
    expect(Object.isFrozen(record?.index)).toBe(true);
  });

  it('keeps two stores apart', async () => {
    const [one, other] = [memoryStore(), memoryStore()];
    await one.compareAndSwap('key', 0, 'value', { kind: 'grant' });
    expect(await other.get('key')).toBeUndefined();
  });

  it('does not let a failing watcher fail the write that woke it', async () => {
    const store = memoryStore();
    const failure = new Promise((resolve) => process.once('uncaughtException', resolve));
    const listeners = process.rawListeners('uncaughtException').slice(0, -1);
    for (const listener of listeners) process.off('uncaughtException', listener as () => void);
    try {
      store.watch?.({ keys: ['key'] }, () => {
        throw new Error('the watcher fails');
      });
      expect(await store.compareAndSwap('key', 0, 'value', { kind: 'grant' })).toBe(true);
      expect(await failure).toMatchObject({ message: 'the watcher fails' });
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener as () => void);
    }
  });
});
