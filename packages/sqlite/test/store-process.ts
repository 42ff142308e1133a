// Run by the tests as a process of its own: uses the store at the given path and reports by message.
import { sqliteStore } from '../src/index.ts';

const [task, path = '', count = '0'] = process.argv.slice(2);

const report = (message: unknown): void => {
  process.send?.(message);
};

async function increment(): Promise<void> {
  const store = sqliteStore({ path });
  for (let done = 0; done < Number(count); ) {
    const record = await store.get('counter');
    const next = String(Number(record?.value ?? '0') + 1);
    const version = record?.version ?? 0;
    if (await store.compareAndSwap('counter', version, next, { kind: 'grant' })) done += 1;
  }
  await store.close();
  report('done');
}

/** Writes until it is killed; every acknowledged version is told. */
async function writeForever(): Promise<never> {
  const store = sqliteStore({ path });
  for (let version = (await store.get('key'))?.version ?? 0; ; version += 1) {
    const value = `${version + 1} `.repeat(20_000);
    if (!(await store.compareAndSwap('key', version, value, { kind: 'grant' })))
      throw new Error('a swap was lost although this is the only writer');
    report(version + 1);
  }
}

/** Root may write everything. Its rights are given up only now: the code may lie where nobody else can read it. */
async function tryToWriteAsNobody(): Promise<void> {
  if (process.getuid?.() === 0) process.setuid?.(65_534);
  await tryToWrite();
}

async function tryToWrite(): Promise<void> {
  try {
    const store = sqliteStore({ path });
    report(await store.compareAndSwap('key', 0, 'value', { kind: 'grant' }));
  } catch (error) {
    const { name, code, message } = error as { name: string; code?: string; message: string };
    report({ name, code, message });
  }
}

/** Watches and does nothing else: must end by itself. */
async function watchOnly(): Promise<void> {
  const store = sqliteStore({ path });
  await store.get('key');
  store.watch?.({ keys: ['key'] }, () => undefined);
  report('watching');
  process.disconnect?.();
}

const tasks: Record<string, () => Promise<void>> = {
  increment,
  writeForever,
  tryToWrite,
  tryToWriteAsNobody,
  watchOnly,
};

report('ready');
process.once('message', () => void tasks[task ?? '']?.());
