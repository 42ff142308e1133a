import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { nextMessage } from '../../../test/servers/waiting-process.ts';
import { sqliteStore } from '../src/index.ts';
import { startProcess } from './start-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('several processes on one file', () => {
  for (const processes of [2, 4])
    it(`${processes} processes that open a new file at once lose none of their increments`, async () => {
      const path = join(temporaryFolder(), 'store.db');
      const count = 200;
      const children = await Promise.all(
        Array.from({ length: processes }, () => startProcess('increment', path, { count })),
      );
      for (const child of children) child.send('begin');
      expect(await Promise.all(children.map(nextMessage))).toEqual(children.map(() => 'done'));
      const store = sqliteStore({ path });
      const record = await store.get('counter');
      expect(record?.value).toBe(String(processes * count));
      expect(record?.version).toBe(processes * count);
      await store.close();
    }, 120_000);

  it('eight processes migrate a new file together, each of several files', async () => {
    for (let round = 0; round < 3; round += 1) {
      const path = join(temporaryFolder(), 'store.db');
      const children = await Promise.all(
        Array.from({ length: 8 }, () => startProcess('tryToWrite', path)),
      );
      for (const child of children) child.send('begin');
      const answers = await Promise.all(children.map(nextMessage));
      expect(answers.filter((answer) => answer === true)).toHaveLength(1);
      expect(answers.filter((answer) => answer === false)).toHaveLength(7);
    }
  }, 120_000);

  it('a process killed while it writes leaves a sound file with every acknowledged version', async () => {
    const path = join(temporaryFolder(), 'store.db');
    for (let round = 0; round < 5; round += 1) {
      const child = await startProcess('writeForever', path);
      let acknowledged = 0;
      child.on('message', (version) => {
        acknowledged = Number(version);
        if (acknowledged % 40 === 0) child.kill('SIGKILL');
      });
      child.send('begin');
      await once(child, 'exit');

      const store = sqliteStore({ path });
      const record = await store.get('key');
      expect(record?.version).toBeGreaterThanOrEqual(acknowledged);
      expect(record?.value).toBe(`${record?.version} `.repeat(20_000));
      await store.close();
      const database = new DatabaseSync(path);
      expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
      database.close();
    }
  }, 120_000);

  it('a watch does not keep a process alive', async () => {
    const path = join(temporaryFolder(), 'store.db');
    const child = await startProcess('watchOnly', path);
    const exited = once(child, 'exit');
    child.send('begin');
    expect(await exited).toEqual([0, null]);
  }, 60_000);
});
