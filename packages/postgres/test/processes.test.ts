import { once } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import { pgBouncer } from '../../../test/servers/pgbouncer-server.ts';
import { postgresServer } from '../../../test/servers/postgres-server.ts';
import { nextMessage } from '../../../test/servers/waiting-process.ts';
import { startProcess } from './start-process.ts';
import { newSchema, testStore } from './test-store.ts';

const server = await postgresServer();
const bouncer = await pgBouncer(server);
afterAll(async () => {
  await bouncer.stop();
  await server.stop();
});

const index = { kind: 'grant' } as const;

describe('several processes on one database', () => {
  for (const [way, url] of Object.entries({
    directly: server.url,
    'through PgBouncer': bouncer.url,
  }))
    it(`eight that start at once ${way} make the tables together, and one of them wins the first write`, async () => {
      const count = 6;
      const task = { task: 'tryToWrite', url, schema: newSchema(), count } as const;
      const children = await Promise.all(Array.from({ length: 8 }, () => startProcess(task)));
      for (const child of children) child.send('begin');
      const answers = await Promise.all(children.map(nextMessage));
      const bySchema = Array.from({ length: count }, (_, at) =>
        answers.map((answer) => Array.isArray(answer) && answer[at]).sort(),
      );
      const oneWinner = [...Array.from({ length: 7 }, () => false), true];
      expect(bySchema).toEqual(Array.from({ length: count }, () => oneWinner));
    }, 120_000);

  it('lose none of their increments, some directly and some through PgBouncer', async () => {
    const schema = newSchema();
    const count = 100;
    const children = await Promise.all(
      [server.url, bouncer.url, server.url, bouncer.url].map((url) =>
        startProcess({ task: 'increment', url, schema, count }),
      ),
    );
    for (const child of children) child.send('begin');
    expect(await Promise.all(children.map(nextMessage))).toEqual(children.map(() => 'done'));
    const store = testStore(server.url, { schema });
    expect(await store.get('counter')).toMatchObject({ value: '400', version: 400 });
  }, 120_000);

  for (const [way, listen] of Object.entries({ notified: server.url, polling: undefined }))
    it(`a process that watches, ${way}, is woken by another one, and a watch does not keep it alive`, async () => {
      const schema = newSchema();
      const child = await startProcess({
        task: 'watchOnly',
        url: bouncer.url,
        schema,
        ...(listen === undefined ? {} : { listen }),
      });
      const exited = once(child, 'exit');
      child.send('begin');
      expect(await nextMessage(child)).toBe('watching');
      const seen = nextMessage(child);
      const store = testStore(server.url, { schema });
      await store.compareAndSwap('key', 0, 'value', index);
      expect(await seen).toBe('seen');
      expect(await exited).toEqual([0, null]);
    }, 60_000);
});
