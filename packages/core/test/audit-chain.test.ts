import { createHmac, hkdfSync } from 'node:crypto';
import { createFakeClock } from '@outlive/testing';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createAudit } from '../src/audit.ts';
import { type ChainVerification, decodeEntry, verifyChain } from '../src/audit-chain.ts';
import { taskStream } from '../src/audit-streams.ts';
import { createKeyedHash } from '../src/keyed-hash.ts';
import { memoryStore } from '../src/memory-store.ts';
import type { StreamEntry } from '../src/store.ts';

const secret = new Uint8Array(32).fill(3);
const keyedHash = createKeyedHash(secret);
const stream = taskStream('t1');
const length = 6;
/** What an honest process has written, and what it wrote to another stream. */
let written: readonly StreamEntry[] = [];
let elsewhere: readonly StreamEntry[] = [];

beforeAll(async () => {
  const store = memoryStore();
  const audit = createAudit({ store, keyedHash, clock: createFakeClock() });
  for (let call = 1; call <= length; call += 1)
    for (const target of [stream, taskStream('t2')])
      audit.record(target, {
        type: 'tool-call-started',
        at: 1000 + call,
        toolName: `t\u001f"hash":"",${call}`,
        scopes: ['a', 'b'],
      });
  await audit.flush();
  written = await collect(store.read(stream, 1));
  elsewhere = await collect(store.read(taskStream('t2'), 1));
});

async function collect(entries: AsyncIterable<StreamEntry>): Promise<StreamEntry[]> {
  const all: StreamEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

async function* stored(entries: readonly StreamEntry[]): AsyncGenerator<StreamEntry> {
  yield* entries;
}

/** The values as a store would number them if it knew no better. */
function numbered(values: readonly string[]): StreamEntry[] {
  return values.map((value, position) => ({ sequence: position + 1, value }));
}

function verify(entries: readonly StreamEntry[], of: string = stream): Promise<ChainVerification> {
  return verifyChain(keyedHash, of, stored(entries));
}

function valuesOf(entries: readonly StreamEntry[]): string[] {
  return entries.map(({ value }) => value);
}

describe('the chain of a stream', () => {
  it('is sound as it was written', async () => {
    expect(await verify(written)).toEqual({ ok: true, stream, entries: length });
  });

  it('is an HMAC over the hash before and the entry without its own, in JSON with the fields in order', () => {
    const key = hkdfSync('sha256', secret, '', 'outlive keyed-hash v1 audit', 32);
    let previous = '';
    for (const { value } of written) {
      const entries = Object.entries(JSON.parse(value)).sort(([a], [b]) => (a < b ? -1 : 1));
      expect(value).toBe(JSON.stringify(Object.fromEntries(entries)));
      const content = JSON.stringify(
        Object.fromEntries(entries.filter(([name]) => name !== 'hash')),
      );
      const hmac = createHmac('sha256', Buffer.from(key)).update(`${previous}\n${content}`);
      previous = hmac.digest('base64url');
      expect(value).toContain(`"hash":"${previous}"`);
    }
  });

  it('shows any changed character of any entry, at that entry', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(length - 1),
        fc.nat(),
        fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 }),
        async (which, where, character) => {
          const values = valuesOf(written);
          const value = values[which] ?? '';
          const at = where % value.length;
          fc.pre(value[at] !== character);
          values[which] = value.slice(0, at) + character + value.slice(at + 1);
          expect(await verify(numbered(values))).toMatchObject({ ok: false, sequence: which + 1 });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('shows a changed spelling that means the same', async () => {
    const values = valuesOf(written);
    values[1] = (values[1] ?? '').replace('\\u001f', '\\u001F');
    expect(values[1]).not.toBe(written[1]?.value);
    expect(await verify(numbered(values))).toMatchObject({ sequence: 2, problem: 'changed' });
  });

  it('shows an event that was rewritten by somebody without the key', async () => {
    const values = valuesOf(written);
    values[2] = (values[2] ?? '').replace('"at":1003', '"at":1999');
    expect(await verify(numbered(values))).toMatchObject({ sequence: 3, problem: 'changed' });
  });

  it('shows a removed entry, with its number left empty or closed up', async () => {
    for (let which = 0; which < length - 1; which += 1) {
      const gap = written.filter((_entry, position) => position !== which);
      const wrong = { ok: false, sequence: which + 1, problem: 'missing' };
      expect(await verify(gap)).toMatchObject(wrong);
      expect(await verify(numbered(valuesOf(gap)))).toMatchObject(wrong);
    }
  });

  it('shows entries that have changed places', async () => {
    for (let one = 0; one < length; one += 1)
      for (let other = one + 1; other < length; other += 1) {
        const values = valuesOf(written);
        [values[one], values[other]] = [values[other] ?? '', values[one] ?? ''];
        const wrong = { ok: false, sequence: one + 1, problem: 'reordered' };
        expect(await verify(numbered(values))).toMatchObject(wrong);
      }
  });

  it('shows an entry that stands in it twice', async () => {
    const values = valuesOf(written);
    values.splice(3, 0, values[1] ?? '');
    expect(await verify(numbered(values))).toMatchObject({ sequence: 4, problem: 'reordered' });
  });

  it('shows an entry, or a whole stream, of another task', async () => {
    const values = valuesOf(written);
    values[3] = elsewhere[3]?.value ?? '';
    expect(await verify(numbered(values))).toMatchObject({ sequence: 4, problem: 'foreign' });
    expect(await verify(elsewhere)).toMatchObject({ sequence: 1, problem: 'foreign' });
  });

  it('shows entries of two histories that were put together, though each is genuine', async () => {
    const store = memoryStore();
    for (const { sequence, value } of written.slice(0, 3))
      await store.append(stream, sequence, [value]);
    const audit = createAudit({ store, keyedHash, clock: createFakeClock() });
    for (let call = 4; call <= length; call += 1)
      audit.record(stream, { type: 'task-cancelled', at: 2000 + call });
    await audit.flush();
    const second = await collect(store.read(stream, 1));
    expect(await verify(second)).toMatchObject({ ok: true });
    const mixed = [...written.slice(0, 4), ...second.slice(4)];
    expect(await verify(mixed)).toMatchObject({ sequence: 5, problem: 'changed' });
  });

  it('shows a chain that was made with another key', async () => {
    const other = createKeyedHash(new Uint8Array(32).fill(4));
    expect(await verifyChain(other, stream, stored(written))).toMatchObject({
      sequence: 1,
      problem: 'changed',
    });
  });

  it('is sound after its end was cut off, which only an anchored head shows', async () => {
    const cut = written.slice(0, 4);
    const last = decodeEntry(written[5]?.value ?? '');
    const anchor = { sequence: 6, hash: last?.hash ?? '' };
    expect(await verify(cut)).toMatchObject({ ok: true, entries: 4 });
    expect(await verifyChain(keyedHash, stream, stored(cut), anchor)).toMatchObject({
      ok: false,
      sequence: 5,
      problem: 'missing',
    });
    expect(await verifyChain(keyedHash, stream, stored(written), anchor)).toMatchObject({
      ok: true,
    });
    const forged = { ...anchor, hash: 'A'.repeat(43) };
    expect(await verifyChain(keyedHash, stream, stored(written), forged)).toMatchObject({
      sequence: 6,
      problem: 'changed',
    });
  });
});
