import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../src/audit-chain.ts';
import { grantStream, taskStream } from '../src/audit-streams.ts';
import { memoryStore } from '../src/memory-store.ts';
import type { Store } from '../src/store.ts';
import { auditOn, entriesIn, event, failingStore, namesIn, stream } from './audit-setup.ts';

describe('the audit', () => {
  it('names the streams of tasks and grants', () => {
    expect([taskStream('t1'), grantStream('abc')]).toEqual(['task:t1', 'grant:abc']);
  });

  it('keeps events in the order they were recorded, chained, with what was recorded', async () => {
    const { audit } = auditOn(memoryStore());
    for (const name of ['a', 'b', 'c']) audit.record(stream, event(name));
    audit.record('task:t2', event('elsewhere'));
    await audit.flush();
    const entries = await entriesIn(audit);
    expect(entries.map(({ sequence, toolName }) => [sequence, toolName])).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
    expect(entries[0]).toMatchObject({ ...event('a'), stream });
    expect(await namesIn(audit, 'task:t2')).toEqual(['elsewhere']);
    expect(await audit.verify(stream)).toEqual({ ok: true, stream, entries: 3 });
    expect(await audit.verify('task:none')).toEqual({ ok: true, stream: 'task:none', entries: 0 });
  });

  it('keeps what was true when it was recorded, whatever the caller does to the object later', async () => {
    const { audit } = auditOn(memoryStore());
    const reused = { ...event('before') };
    audit.record(stream, reused);
    reused.toolName = 'after';
    await audit.flush();
    expect(await namesIn(audit)).toEqual(['before']);
  });

  it('goes on where another process has left a stream', async () => {
    const store = memoryStore();
    const first = auditOn(store).audit;
    first.record(stream, event('a'));
    await first.flush();
    const second = auditOn(store).audit;
    second.record(stream, event('b'));
    await second.flush();
    first.record(stream, event('c'));
    await first.flush();
    expect(await namesIn(first)).toEqual(['a', 'b', 'c']);
    expect(await first.verify(stream)).toMatchObject({ ok: true, entries: 3 });
  });

  it('keeps the oldest events when the queue is full, and says in the record how many are missing', async () => {
    const store = failingStore(memoryStore());
    const { audit, problems } = auditOn(store, { queueLimit: 2 });
    store.failures.push('before');
    for (const name of ['a', 'b', 'lost', 'lost']) audit.record(stream, event(name));
    await audit.flush();
    expect(problems.filter(({ kind }) => kind === 'dropped')).toHaveLength(2);
    await audit.flush();
    audit.record(stream, event('c'));
    audit.record(stream, event('d'));
    await audit.flush();
    expect((await entriesIn(audit)).map(({ toolName, dropped }) => [toolName, dropped])).toEqual([
      ['a', undefined],
      ['b', undefined],
      ['c', 2],
      ['d', undefined],
    ]);
    expect(await audit.verify(stream)).toMatchObject({ ok: true });
  });

  it('gives up an event that cannot be written down, and not the ones behind it', async () => {
    const { audit, problems } = auditOn(memoryStore());
    const unusable = Object.assign(event('odd'), { reason: 1n });
    audit.record(stream, unusable);
    audit.record(stream, event('b'));
    audit.record(stream, event('c'));
    await audit.flush();
    expect(await namesIn(audit)).toEqual(['b', 'c']);
    expect(problems).toMatchObject([{ kind: 'dropped', stream }]);
  });

  it('reports a stream that was cut shorter than it has seen it, and goes on recording', async () => {
    const long = memoryStore();
    let current: Store = long;
    const store: Store = {
      ...long,
      append: (...call) => current.append(...call),
      read: (...call) => current.read(...call),
      last: (...call) => current.last(...call),
    };
    const { audit, problems } = auditOn(store);
    for (const name of ['a', 'b']) audit.record(stream, event(name));
    await audit.flush();
    current = memoryStore();
    audit.record(stream, event('c'));
    await audit.flush();
    expect(await namesIn(audit)).toEqual(['c']);
    expect(problems).toMatchObject([{ kind: 'damaged', stream }]);
    expect(problems[0]?.message).toBe('it ends at entry 0, and had 2 before');
  });

  it('tells the end of a stream, to be kept elsewhere', async () => {
    const { audit } = auditOn(memoryStore());
    expect(await audit.head(stream)).toBeUndefined();
    for (const name of ['a', 'b']) audit.record(stream, event(name));
    await audit.flush();
    const last = (await entriesIn(audit)).at(-1);
    expect(await audit.head(stream)).toEqual({ sequence: 2, hash: last?.hash });
  });

  it('refuses to read over an entry that is none', async () => {
    const store = memoryStore();
    await store.append(stream, 1, ['{"type":"task-started"}']);
    const { audit } = auditOn(store);
    await expect(entriesIn(audit)).rejects.toMatchObject({ name: 'StoreError', code: 'corrupt' });
    await expect(audit.head(stream)).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('reports what is left when it is closed, and takes nothing more', async () => {
    const store = failingStore(memoryStore());
    const { audit, problems, clock } = auditOn(store);
    store.failures.push('before', 'before', 'before');
    for (const name of ['a', 'b']) audit.record(stream, event(name));
    await audit.close();
    audit.record(stream, event('late'));
    expect(problems.map(({ kind, message }) => [kind, message])).toEqual([
      ['unavailable', 'the store refuses; trying again'],
      ['dropped', '2 events that the store did not take'],
      ['dropped', 'an event (tool-call-started) after the audit was closed'],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('never throws at whoever records, even when the reporter throws', async () => {
    const store = failingStore(memoryStore());
    const onProblem = (): void => {
      throw new Error('the reporter is broken');
    };
    const { audit } = auditOn(store, { onProblem, queueLimit: 0 });
    const printed: unknown[] = [];
    const original = console.error;
    console.error = (...line) => void printed.push(line);
    try {
      audit.record(stream, event('a'));
    } finally {
      console.error = original;
    }
    expect(printed).toHaveLength(1);
  });
});

describe('a sink', () => {
  it('receives every stored entry in the order of its stream', async () => {
    const seen: string[] = [];
    const write = async ({ sequence, toolName }: AuditEntry): Promise<void> => {
      await Promise.resolve();
      seen.push(`${sequence} ${toolName}`);
    };
    const { audit } = auditOn(memoryStore(), { sinks: [{ name: 'list', write }] });
    for (const name of ['a', 'b', 'c']) audit.record(stream, event(name));
    await audit.flush();
    expect(seen).toEqual(['1 a', '2 b', '3 c']);
  });

  it('that throws loses its entry, is reported, and harms neither the store nor other sinks', async () => {
    const seen: (string | undefined)[] = [];
    const broken = {
      name: 'broken',
      write: () => {
        throw new Error('disk full');
      },
    };
    const good = { name: 'good', write: (entry: AuditEntry) => void seen.push(entry.toolName) };
    const { audit, problems } = auditOn(memoryStore(), { sinks: [broken, good] });
    for (const name of ['a', 'b']) audit.record(stream, event(name));
    await audit.flush();
    expect(seen).toEqual(['a', 'b']);
    expect(await namesIn(audit)).toEqual(['a', 'b']);
    expect(problems.map(({ kind, message }) => [kind, message])).toEqual([
      ['sink', 'sink "broken" refused entry 1'],
      ['sink', 'sink "broken" refused entry 2'],
    ]);
  });

  it('that is slow does not hold the store up, and is told what it missed', async () => {
    const release = Promise.withResolvers<void>();
    const { audit, problems } = auditOn(memoryStore(), {
      queueLimit: 2,
      sinks: [{ name: 'slow', write: () => release.promise }],
    });
    for (const name of ['a', 'b', 'c']) {
      audit.record(stream, event(name));
      while ((await namesIn(audit)).at(-1) !== name) await new Promise(setImmediate);
    }
    expect(problems).toMatchObject([
      { kind: 'sink', message: 'sink "slow" is behind; entry 3 skips it' },
    ]);
    release.resolve();
    await audit.flush();
  });
});
