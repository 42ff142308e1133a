import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/memory-store.ts';
import { type Store, StoreError } from '../src/store.ts';
import { auditOn, event, type Failure, failingStore, namesIn, stream } from './audit-setup.ts';

describe('the writes of the audit', () => {
  it('never forks a stream that several processes write, through any failures of the store', async () => {
    const failure = fc.constantFrom<Failure | undefined>('before', 'after', 'late', undefined);
    const step = fc.record({
      who: fc.nat(2),
      which: fc.nat(1),
      events: fc.integer({ min: 1, max: 4 }),
      fails: failure,
      tries: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const shared = memoryStore();
        const processes = [0, 1, 2].map(() => {
          const store = failingStore(shared);
          return { store, ...auditOn(store) };
        });
        const wanted: [string[], string[]] = [[], []];
        for (const [at, { who, which, events, fails, tries }] of steps.entries()) {
          const process = processes[who];
          if (fails !== undefined) process?.store.failures.push(fails);
          for (let nth = 0; nth < events; nth += 1) {
            process?.audit.record(`task:${which}`, event(`${who} ${at} ${nth}`));
            wanted[which]?.push(`${who} ${at} ${nth}`);
          }
          if (tries) await process?.audit.flush();
        }
        // A flush may end with a refusal; each one uses up at least one of the planned failures.
        for (let round = 0; round <= steps.length; round += 1)
          await Promise.all(processes.map(({ audit }) => audit.flush()));

        const reader = auditOn(shared).audit;
        for (const which of [0, 1]) {
          expect(await reader.verify(`task:${which}`)).toMatchObject({ ok: true });
          const found = await namesIn(reader, `task:${which}`);
          // Each process's events are there once, in the order in which it recorded them.
          for (const who of ['0', '1', '2'])
            expect(found.filter((name) => name?.startsWith(who))).toEqual(
              wanted[which]?.filter((name) => name.startsWith(who)),
            );
        }
      }),
      { numRuns: 100 },
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

  it('stores what waits in few appends, each of a bounded size', async () => {
    const store = failingStore(memoryStore());
    const { audit } = auditOn(store);
    const names = Array.from({ length: 150 }, (_, at) => String(at));
    for (const name of names) audit.record(stream, event(name));
    await audit.flush();
    expect(store.appended).toEqual([64, 64, 22]);
    expect(await namesIn(audit)).toEqual(names);
    store.appended.length = 0;
    const lengths = [100_000, 100_000, 100_000, 300_000, 100_000];
    for (const length of lengths) audit.record(stream, event('x'.repeat(length)));
    await audit.flush();
    expect(store.appended).toEqual([2, 1, 1, 1]);
    expect(await audit.verify(stream)).toMatchObject({ ok: true, entries: 155 });
  });

  it.each(['before', 'after', 'late'] as const)(
    'writes no event twice, and none not at all, when an append of several fails (%s), also with another process in between',
    async (failure) => {
      for (const otherComes of [false, true]) {
        const shared = memoryStore();
        const store = failingStore(shared);
        const { audit } = auditOn(store);
        store.failures.push(failure);
        for (const name of ['a', 'b', 'c']) audit.record(stream, event(name));
        await audit.flush();
        if (otherComes) {
          const other = auditOn(shared).audit;
          other.record(stream, event('other'));
          await other.flush();
        }
        audit.record(stream, event('d'));
        await audit.flush();
        const found = await namesIn(audit);
        expect(found.filter((name) => name !== 'other')).toEqual(['a', 'b', 'c', 'd']);
        const entries = otherComes ? 5 : 4;
        expect(await audit.verify(stream)).toEqual({ ok: true, stream, entries });
      }
    },
  );

  it('says that an event is stored when it is, though one behind it can never be', async () => {
    const { audit } = auditOn(memoryStore());
    audit.record(stream, event('a'));
    const stored = audit.stored(stream);
    audit.record(stream, Object.assign(event('odd'), { reason: 1n }));
    audit.record(stream, event('b'));
    await stored;
    expect(await namesIn(audit)).toContain('a');
    await audit.flush();
    expect(await namesIn(audit)).toEqual(['a', 'b']);
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
});
