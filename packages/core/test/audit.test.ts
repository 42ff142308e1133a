import { createFakeClock } from '@outlive/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Audit,
  type AuditProblem,
  createAudit,
  grantStream,
  taskStream,
} from '../src/audit.ts';
import type { AuditEntry } from '../src/audit-chain.ts';
import type { AuditEvent } from '../src/audit-event.ts';
import { createKeyedHash } from '../src/keyed-hash.ts';
import { memoryStore } from '../src/memory-store.ts';
import { type Store, StoreError } from '../src/store.ts';

const keyedHash = createKeyedHash(new Uint8Array(32).fill(3));
const stream = taskStream('t1');

function event(name: string): AuditEvent {
  return { type: 'tool-call-started', at: 1000, taskId: 't1', toolName: name };
}

async function namesIn(audit: Audit, of: string = stream): Promise<(string | undefined)[]> {
  return (await entriesIn(audit, of)).map(({ toolName }) => toolName);
}

async function entriesIn(audit: Audit, of: string = stream): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for await (const entry of audit.read(of)) entries.push(entry);
  return entries;
}

/** A store whose next appends fail: before anything is written, or after it was. */
function failingStore(inner: Store): Store & { failures: ('before' | 'after')[] } {
  const failures: ('before' | 'after')[] = [];
  return {
    ...inner,
    failures,
    async append(of, sequence, value) {
      const failure = failures.shift();
      if (failure === 'before') throw new StoreError('unavailable', 'The store is away.');
      const answer = await inner.append(of, sequence, value);
      if (failure === 'after') throw new StoreError('unavailable', 'The answer was lost.');
      return answer;
    },
  };
}

function auditOn(store: Store, more: Partial<Parameters<typeof createAudit>[0]> = {}) {
  const problems: AuditProblem[] = [];
  const clock = createFakeClock();
  const onProblem = (problem: AuditProblem): void => void problems.push(problem);
  return { audit: createAudit({ store, keyedHash, clock, onProblem, ...more }), problems, clock };
}

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

  it('never forks a stream that several processes write, through any failures of the store', async () => {
    const failure = fc.constantFrom<'before' | 'after' | undefined>('before', 'after', undefined);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2), fc.nat(1), failure), { minLength: 1, maxLength: 25 }),
        async (steps) => {
          const shared = memoryStore();
          const processes = [0, 1, 2].map(() => {
            const store = failingStore(shared);
            return { store, ...auditOn(store) };
          });
          for (const [who, which, fails] of steps) {
            const process = processes[who];
            if (fails !== undefined) process?.store.failures.push(fails);
            process?.audit.record(`task:${which}`, event(String(who)));
          }
          // A flush may end with a refusal; each one uses up at least one of the planned failures.
          for (let round = 0; round <= steps.length; round += 1)
            await Promise.all(processes.map(({ audit }) => audit.flush()));

          const reader = auditOn(shared).audit;
          for (const which of [0, 1]) {
            const wanted = steps.filter((step) => step[1] === which).map(([who]) => String(who));
            expect(await reader.verify(`task:${which}`)).toMatchObject({ ok: true });
            expect((await namesIn(reader, `task:${which}`)).sort()).toEqual(wanted.sort());
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps events while the store is away and tries again by itself', async () => {
    const store = failingStore(memoryStore());
    const { audit, problems, clock } = auditOn(store);
    store.failures.push('before', 'before');
    audit.record(stream, event('a'));
    audit.record(stream, event('b'));
    await audit.flush();
    expect(await namesIn(audit)).toEqual([]);
    expect(problems).toMatchObject([{ kind: 'unavailable', stream }]);
    expect(problems[0]?.cause).toBeInstanceOf(StoreError);

    await audit.flush();
    expect(clock.pending).toBe(1);
    await clock.advance(200);
    expect(clock.pending).toBe(0);
    await audit.flush();
    expect(await namesIn(audit)).toEqual(['a', 'b']);
    expect(problems).toHaveLength(1);
  });

  it('does not write an event twice when it landed and only the answer was lost', async () => {
    const store = failingStore(memoryStore());
    const { audit } = auditOn(store);
    store.failures.push('after', 'before');
    for (const name of ['same', 'same']) audit.record(stream, event(name));
    for (let round = 0; round < 3; round += 1) await audit.flush();
    expect(await namesIn(audit)).toEqual(['same', 'same']);
    expect(await audit.verify(stream)).toMatchObject({ ok: true, entries: 2 });
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

  it('does not spin on a store that refuses an append for no reason', async () => {
    const inner = memoryStore();
    let appends = 0;
    const store: Store = {
      ...inner,
      append: async () => {
        appends += 1;
        return false;
      },
    };
    const { audit, problems } = auditOn(store);
    audit.record(stream, event('a'));
    await audit.flush();
    expect(appends).toBe(2);
    expect(problems).toMatchObject([{ kind: 'unavailable' }]);
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
    await store.append(stream, 1, '{"type":"task-started"}');
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
