import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { sqliteStore } from '../src/index.ts';
import { temporaryFolder } from './temporary-folder.ts';

// SQLite answers the same way when the file may not grow as when the disk is full.
vi.mock(import('../src/open-database.ts'), async (importOriginal) => {
  const { openDatabase } = await importOriginal();
  return {
    openDatabase(path: string) {
      const database = openDatabase(path);
      database.exec('PRAGMA max_page_count = 40');
      return database;
    },
  };
});

it('a full disk is told as such, nothing is half written, and what fits still works', async () => {
  const store = sqliteStore({ path: join(temporaryFolder(), 'store.db') });
  await store.compareAndSwap('key', 0, 'kept', { kind: 'grant' });
  const large = 'x'.repeat(500_000);
  const full = {
    name: 'StoreError',
    code: 'full',
    message: expect.stringMatching(/No space left.*nothing was written\. Free disk space/),
  };
  await expect(store.compareAndSwap('key', 1, large, { kind: 'grant' })).rejects.toMatchObject(
    full,
  );
  await expect(store.append('log', 1, [large])).rejects.toMatchObject(full);
  expect(await store.get('key')).toEqual({ version: 1, value: 'kept', index: { kind: 'grant' } });
  expect(await store.last('log')).toBeUndefined();
  expect(await store.compareAndSwap('key', 1, 'small', { kind: 'grant' })).toBe(true);
  await store.close();
});
