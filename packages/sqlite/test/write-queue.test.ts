import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { sqliteStore } from '../src/index.ts';
import { temporaryFolder } from './temporary-folder.ts';

const grant = { kind: 'grant' } as const;

/** How often other connections have committed, as SQLite counts it. */
function commitsSeenBy(database: DatabaseSync): number {
  const row = database.prepare('PRAGMA data_version').get() as { data_version: number };
  return row.data_version;
}

describe('writes that are asked for in one turn', () => {
  it('share one commit, and each gets its own answer', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const store = sqliteStore({ path });
    await store.compareAndSwap('taken', 0, 'first', grant);
    const observer = new DatabaseSync(path);
    const before = commitsSeenBy(observer);

    const answers = await Promise.all([
      store.compareAndSwap('a', 0, '1', grant),
      store.compareAndSwap('taken', 0, 'second', grant),
      store.compareAndSwap('a', 1, '2', grant),
      store.append('stream', 1, ['x']),
      store.append('stream', 1, ['y']),
      store.append('stream', 2, ['z']),
    ]);

    expect(answers).toEqual([true, false, true, true, false, true]);
    expect(commitsSeenBy(observer) - before).toBe(1);
    expect(await store.get('a')).toMatchObject({ version: 2, value: '2' });
    expect(await store.get('taken')).toMatchObject({ version: 1, value: 'first' });
    expect(await store.last('stream')).toMatchObject({ sequence: 2, value: 'z' });
    observer.close();
    await store.close();
  });

  it('do not fail for one among them that cannot be written', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const store = sqliteStore({ path });
    await store.compareAndSwap('first', 0, 'value', grant);
    const database = new DatabaseSync(path);
    database.exec(
      "CREATE TRIGGER refuse BEFORE INSERT ON record WHEN NEW.key = 'bad' BEGIN SELECT RAISE(ABORT, 'refused'); END",
    );
    database.close();

    const answers = await Promise.allSettled([
      store.compareAndSwap('a', 0, '1', grant),
      store.compareAndSwap('bad', 0, '1', grant),
      store.compareAndSwap('b', 0, '1', grant),
    ]);

    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await store.get('a')).toMatchObject({ version: 1 });
    expect(await store.get('bad')).toBeUndefined();
    expect(await store.get('b')).toMatchObject({ version: 1 });
    await store.close();
  });
});
