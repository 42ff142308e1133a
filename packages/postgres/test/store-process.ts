// Run by the tests as a process of its own: does the task that it is given and reports by message.
import { Pool } from 'pg';
import { postgresStore } from '../src/index.ts';
import type { ProcessTask } from './start-process.ts';

const { task, url, schema, listen, count = 0 }: ProcessTask = JSON.parse(process.argv[2] ?? '');

const pool = new Pool({ connectionString: url, max: 2, allowExitOnIdle: true });
const store = postgresStore({ pool, schema, listen });

const report = (message: unknown): void => {
  process.send?.(message);
};

/** The first write to each of several schemas that do not exist yet. */
async function tryToWrite(): Promise<void> {
  const answers: unknown[] = [];
  for (let at = 0; at < count; at += 1)
    try {
      const fresh = postgresStore({ pool, schema: `${schema}_${at}` });
      answers.push(await fresh.compareAndSwap('key', 0, 'value', { kind: 'grant' }));
    } catch (error) {
      answers.push(String(error));
    }
  report(answers);
}

async function increment(): Promise<void> {
  for (let done = 0; done < count; ) {
    const record = await store.get('counter');
    const next = String(Number(record?.value ?? '0') + 1);
    const version = record?.version ?? 0;
    if (await store.compareAndSwap('counter', version, next, { kind: 'grant' })) done += 1;
  }
  report('done');
}

/** Watches and does nothing else. Only the channel to the parent keeps it alive, until it has seen the key. */
async function watchOnly(): Promise<void> {
  process.channel?.ref();
  const seen = new Promise<void>((resolve) => {
    store.watch?.({ keys: ['key'] }, () => {
      void store.get('key').then((record) => record !== undefined && resolve());
    });
  });
  await store.get('key');
  report('watching');
  await seen;
  report('seen');
  process.disconnect?.();
}

const tasks = { tryToWrite, increment, watchOnly };

report('ready');
process.once('message', () => void tasks[task]());
