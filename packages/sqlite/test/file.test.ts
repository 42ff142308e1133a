import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '@outlive/core';
import { describe, expect, it } from 'vitest';
import { nextMessage } from '../../../test/servers/waiting-process.ts';
import { sqliteStore } from '../src/index.ts';
import { startProcess } from './start-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

const index = { kind: 'grant' } as const;

async function refusalOf(path: string): Promise<StoreError> {
  const store = sqliteStore({ path });
  const before = readFileSync(path);
  const refusals = await Promise.allSettled([
    store.get('key'),
    store.compareAndSwap('key', 0, 'value', index),
  ]);
  await store.close();
  expect(readFileSync(path).equals(before)).toBe(true);
  const [first, second] = refusals.map((refusal) =>
    refusal.status === 'rejected' ? refusal.reason : undefined,
  );
  expect(first).toBeInstanceOf(StoreError);
  expect(second.message).toBe(first.message);
  return first;
}

describe('the file', () => {
  it('is created for its owner only, and so are its siblings', async () => {
    const folder = temporaryFolder();
    const store = sqliteStore({ path: join(folder, 'store.db') });
    await store.compareAndSwap('key', 0, 'value', index);
    const files = readdirSync(folder).sort();
    expect(files).toEqual(['store.db', 'store.db-shm', 'store.db-wal']);
    for (const file of files) expect(statSync(join(folder, file)).mode & 0o777, file).toBe(0o600);
    await store.close();
  });

  it('is one file again after close, whatever the log held', async () => {
    const folder = temporaryFolder();
    const store = sqliteStore({ path: join(folder, 'store.db') });
    await store.compareAndSwap('key', 0, 'value', index);
    await store.close();
    expect(readdirSync(folder)).toEqual(['store.db']);
  });

  it('is in WAL mode, carries an application id and a schema version, and is not created before use', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const store = sqliteStore({ path });
    expect(existsSync(path)).toBe(false);
    await store.get('key');
    const database = new DatabaseSync(path);
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(database.prepare('PRAGMA application_id').get()).toEqual({
      application_id: 0x4f544c56,
    });
    expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
    database.close();
    await store.close();
  });

  it('keeps its records from one opening to the next', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const first = sqliteStore({ path });
    await first.compareAndSwap('key', 0, 'value', index);
    await first.close();
    const second = sqliteStore({ path });
    expect(await second.get('key')).toEqual({ version: 1, value: 'value', index });
    await second.close();
  });

  it('copied with VACUUM INTO while in use is a store of its own', async () => {
    const folder = temporaryFolder();
    const store = sqliteStore({ path: join(folder, 'store.db') });
    await store.compareAndSwap('key', 0, 'value', index);
    const database = new DatabaseSync(join(folder, 'store.db'));
    database.prepare('VACUUM INTO ?').run(join(folder, 'copy.db'));
    database.close();
    await store.close();
    const copy = sqliteStore({ path: join(folder, 'copy.db') });
    expect((await copy.get('key'))?.value).toBe('value');
    await copy.close();
  });
});

describe('a file that cannot be used is refused and left as it is', () => {
  it('written by a newer version of the driver', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const store = sqliteStore({ path });
    await store.get('key');
    await store.close();
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    const refusal = await refusalOf(path);
    expect(refusal.code).toBe('newer_schema');
    expect(refusal.message).toMatch(/schema version 99.*Upgrade @outlive\/sqlite/s);
  });

  it('of another application', async () => {
    for (const setup of [
      'CREATE TABLE theirs (a)',
      'PRAGMA application_id = 7',
      'PRAGMA user_version = 3',
    ]) {
      const path = join(temporaryFolder(), 'theirs.db');
      const database = new DatabaseSync(path);
      database.exec(setup);
      database.close();
      const refusal = await refusalOf(path);
      expect(refusal.code).toBe('corrupt');
      expect(refusal.message).toMatch(/another application.*file of its own/s);
    }
  });

  it('not a database at all', async () => {
    for (const content of ['hello', 'not a database. '.repeat(1000)]) {
      const path = join(temporaryFolder(), 'notes.txt');
      writeFileSync(path, content);
      const refusal = await refusalOf(path);
      expect(refusal.code).toBe('corrupt');
      expect(refusal.message).toMatch(/not a SQLite database.*Restore it from a backup/s);
    }
  });

  it('with damaged pages', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const store = sqliteStore({ path });
    for (let at = 0; at < 100; at += 1)
      await store.compareAndSwap(`key ${at}`, 0, 'value'.repeat(200), index);
    await store.close();
    const file = openSync(path, 'r+');
    for (let page = 1; page * 4096 < statSync(path).size; page += 1)
      writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
    closeSync(file);
    const refusal = await refusalOf(path);
    expect(refusal.code).toBe('corrupt');
    expect(refusal.message).toMatch(/damaged/);
  });

  it('of ours, but with a table missing', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const store = sqliteStore({ path });
    await store.get('key');
    await store.close();
    const database = new DatabaseSync(path);
    database.exec('DROP TABLE record');
    database.close();
    expect((await refusalOf(path)).code).toBe('corrupt');
  });

  it('in a folder that vanished after the store was made', async () => {
    const folder = join(temporaryFolder(), 'data');
    mkdirSync(folder);
    const store = sqliteStore({ path: join(folder, 'store.db') });
    renameSync(folder, `${folder}-moved`);
    await expect(store.get('key')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('Check that its folder exists'),
    });
    renameSync(`${folder}-moved`, folder);
    expect(await store.get('key')).toBeUndefined();
    await store.close();
  });
});

describe('a file that may not be written', () => {
  async function attempt(path: string): Promise<unknown> {
    const child = await startProcess('tryToWriteAsNobody', path);
    child.send('begin');
    return nextMessage(child);
  }

  const readOnly = {
    name: 'StoreError',
    code: 'read_only',
    message: expect.stringMatching(/cannot be written; nothing was changed\. Make the file/),
  };

  it('is refused with the reason: the file', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'store.db');
    const store = sqliteStore({ path });
    await store.compareAndSwap('other', 0, 'value', index);
    await store.close();
    chmodSync(path, 0o444);
    chmodSync(folder, 0o777);
    expect(await attempt(path)).toEqual(readOnly);
  });

  it('is refused with the reason: the folder, with and without a file in it', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'store.db');
    chmodSync(folder, 0o555);
    expect(await attempt(path)).toEqual(readOnly);
    chmodSync(folder, 0o755);
    writeFileSync(path, '');
    chmodSync(path, 0o666);
    chmodSync(folder, 0o555);
    expect(await attempt(path)).toEqual(readOnly);
    chmodSync(folder, 0o755);
  });
});
