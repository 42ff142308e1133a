import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/memory-store.ts';
import { decodeRecord, encodeRecord } from '../src/record-encoding.ts';
import { createRecords } from '../src/records.ts';
import { createSealer } from '../src/sealing.ts';
import { Secret } from '../src/secret.ts';
import { type RecordIndex, type Store, StoreError } from '../src/store.ts';

const sealer = createSealer({ current: 'k', ring: { k: new Uint8Array(32).fill(9) } });
const index: RecordIndex = { kind: 'grant', status: 'idle' };

/** Makes secrets comparable: vitest sees no difference between two of them. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return { revealed: value.reveal() };
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, revealed(field)]));
}

const fieldName = fc.oneof(
  fc.string(),
  fc.constantFrom('$secret', '$$secret', '$$$secret', 'secret', '__proto__', 'constructor'),
);
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.string().map((plain) => new Secret(plain)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .array(fc.tuple(fieldName, tie('value')), { maxLength: 4 })
      .map((fields) => Object.fromEntries(fields)),
  ),
}));

describe('the encoding of a record', () => {
  it('gives back any JSON data with any secrets in it', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const decoded = decodeRecord(encodeRecord(value), 'grant');
        expect(JSON.stringify(revealed(decoded))).toBe(JSON.stringify(revealed(value)));
      }),
      { numRuns: 1000 },
    );
  });

  it("does not mistake a user's own $secret field for a secret", () => {
    const value = { $secret: 'mine', $$secret: { $secret: new Secret('s') } };
    const decoded = decodeRecord(encodeRecord(value), 'grant');
    expect(revealed(decoded)).toEqual({
      $secret: 'mine',
      $$secret: { $secret: { revealed: 's' } },
    });
  });

  it('leaves out fields that are undefined', () => {
    expect(encodeRecord({ a: 1, b: undefined })).toBe('{"a":1}');
  });

  it('refuses what is not JSON data instead of storing something else', () => {
    expect(() => encodeRecord(undefined)).toThrow(/expected JSON data; got undefined/);
    expect(() => encodeRecord(() => 1)).toThrow(/expected JSON data; got function/);
  });

  it('is malformed, not empty, when it is damaged', () => {
    for (const text of ['{"a":', '{"$secret":1}', ''])
      expect(() => decodeRecord(text, 'task')).toThrow(
        expect.objectContaining({ code: 'malformed', kind: 'task' }),
      );
  });
});

describe('records', () => {
  it('come back as they were written, with their version and index', async () => {
    const records = createRecords({ store: memoryStore(), sealer });
    expect(await records.get('k')).toBeUndefined();
    expect(await records.swap('k', 0, { token: new Secret('at-1') }, index)).toBe(true);
    expect(await records.swap('k', 0, { token: new Secret('at-x') }, index)).toBe(false);
    const found = await records.get<{ token: Secret }>('k');
    expect(found).toMatchObject({ version: 1, index });
    expect(found?.value.token.reveal()).toBe('at-1');
  });

  it('are gone when deleted, and can be created again at the version that is told', async () => {
    const records = createRecords({ store: memoryStore(), sealer });
    await records.swap('k', 0, 'one', index);
    expect(await records.swap('k', 1, null, index)).toBe(true);
    expect(await records.get('k')).toBeUndefined();
    expect(await records.version('k')).toBe(2);
    expect(await records.swap('k', 2, 'two', index)).toBe(true);
    expect(await records.get('k')).toMatchObject({ version: 3, value: 'two' });
    expect(await records.version('never written')).toBe(0);
  });

  it('show the store no secret', async () => {
    const written: (string | null)[] = [];
    const inner = memoryStore();
    const store: Store = {
      ...inner,
      compareAndSwap(key, version, value, itsIndex) {
        written.push(value);
        return inner.compareAndSwap(key, version, value, itsIndex);
      },
    };
    const records = createRecords({ store, sealer });
    await records.swap('k', 0, { refreshToken: new Secret('canary-token'), note: 'canary' }, index);
    const [value] = written;
    expect(value).toMatch(/^v1\.k\./);
    const decoded = Buffer.from(value?.split('.')[2] ?? '', 'base64url').toString('latin1');
    expect(`${value} ${decoded}`).not.toContain('canary');
  });

  it('cannot be moved to another key, put back at another version, or given another index', async () => {
    const store = memoryStore();
    const records = createRecords({ store, sealer });
    await records.swap('k', 0, 'theirs', index);
    const stolen = (await store.get('k'))?.value ?? null;
    await store.compareAndSwap('other', 0, stolen, index);
    await store.compareAndSwap('k', 1, stolen, index);
    await expect(records.get('other')).rejects.toMatchObject({ code: 'tampered' });
    await expect(records.get('k')).rejects.toMatchObject({ code: 'tampered' });

    await records.swap('dead', 0, 'mine', { ...index, status: 'dead' });
    const revived: Store = {
      ...store,
      get: async (key) => {
        const found = await store.get(key);
        return found && { ...found, index };
      },
    };
    await expect(createRecords({ store: revived, sealer }).get('dead')).rejects.toMatchObject({
      code: 'tampered',
    });
  });

  it('round a due time up to whole milliseconds, as every driver can keep it', async () => {
    const store = memoryStore();
    const records = createRecords({ store, sealer });
    await records.swap('k', 0, 1, { ...index, dueAt: 1000.25 });
    expect(await records.get('k')).toMatchObject({ index: { dueAt: 1001 } });
    await expect(records.swap('k', 1, 2, { ...index, dueAt: Number.NaN })).rejects.toThrow(
      'index.dueAt: expected epoch milliseconds; got NaN',
    );
  });

  it('are listed by their index, without what is deleted', async () => {
    const records = createRecords({ store: memoryStore(), sealer });
    await records.swap('a', 0, 1, index);
    await records.swap('b', 0, 1, { ...index, status: 'dead' });
    await records.swap('c', 0, 1, index);
    await records.swap('c', 1, null, index);
    const keys: string[] = [];
    for await (const { key } of records.list({ kind: 'grant', status: 'idle' })) keys.push(key);
    expect(keys).toEqual(['a']);
  });

  it("let the store's own errors through", async () => {
    const store = memoryStore();
    await store.close();
    await expect(createRecords({ store, sealer }).get('k')).rejects.toBeInstanceOf(StoreError);
  });
});
