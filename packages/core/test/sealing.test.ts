import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../src/errors.ts';
import { createSealer, type SealedPlace, SealingError } from '../src/sealing.ts';

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const sealer = createSealer({ current: 'k1', ring: { k1: key(1) } });
const place: SealedPlace = {
  key: 'grant|7:default|4:acme',
  version: 3,
  index: { kind: 'grant', status: 'idle', subject: 'abc', taskId: 't1', dueAt: 1000 },
};

async function codeOf(opening: Promise<string>): Promise<SealingError['code'] | 'opened'> {
  try {
    await opening;
    return 'opened';
  } catch (error) {
    if (error instanceof SealingError) return error.code;
    throw error;
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text.slice(text.lastIndexOf('.') + 1), 'base64url');
}

describe('a sealed value', () => {
  it('opens to what was sealed, in its own place', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (plain) => {
        expect(await sealer.open(await sealer.seal(plain, place), place)).toBe(plain);
      }),
    );
  });

  it('keeps a leading byte order mark', async () => {
    const plain = '\uFEFF{}';
    expect(await sealer.open(await sealer.seal(plain, place), place)).toBe(plain);
  });

  it('shows its key id and nothing of its content, and never looks the same twice', async () => {
    const [one, other] = await Promise.all([
      sealer.seal('rt-canary', place),
      sealer.seal('rt-canary', place),
    ]);
    expect(one).toMatch(/^v1\.k1\.[A-Za-z0-9_-]+$/);
    expect(one).not.toBe(other);
    expect(Buffer.from(one.slice(6), 'base64url').toString('latin1')).not.toContain('canary');
  });

  it.each<[string, SealedPlace]>([
    ['record', { ...place, key: 'grant|7:default|4:acmf' }],
    ['version', { ...place, version: 4 }],
    ['kind', { ...place, index: { ...place.index, kind: 'delegation' } }],
    ['status', { ...place, index: { ...place.index, status: 'dead' } }],
    ['subject', { ...place, index: { ...place.index, subject: 'abd' } }],
    ['task', { ...place, index: { ...place.index, taskId: 't2' } }],
    ['due time', { ...place, index: { ...place.index, dueAt: 1001 } }],
    ['index without a due time', { ...place, index: { kind: 'grant', status: 'idle' } }],
  ])('does not open under another %s', async (_what, elsewhere) => {
    const text = await sealer.seal('{}', place);
    expect(await codeOf(sealer.open(text, elsewhere))).toBe('tampered');
  });

  it('does not confuse one field of the index with its neighbour', async () => {
    const text = await sealer.seal('{}', { ...place, index: { kind: 'grant', status: 'x' } });
    const moved = { ...place, index: { kind: 'grant', subject: 'x' } } as const;
    expect(await codeOf(sealer.open(text, moved))).toBe('tampered');
  });

  it('does not open once any character of it has changed', async () => {
    // 49 bytes with IV and tag: the last base64url character has bits that a lax decoder ignores.
    const text = await sealer.seal('{"refreshToken":"rt"}', place);
    const last = text.charCodeAt(text.length - 1);
    const sameBytes = text.slice(0, -1) + String.fromCharCode(last + 1);
    expect(bytesOf(sameBytes)).toEqual(bytesOf(text));
    expect(await codeOf(sealer.open(sameBytes, place))).toBe('malformed');
    const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/= '];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length - 1),
        fc.constantFrom(...alphabet),
        async (position, character) => {
          fc.pre(text[position] !== character);
          const changed = text.slice(0, position) + character + text.slice(position + 1);
          expect(await codeOf(sealer.open(changed, place))).not.toBe('opened');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('does not open when it is cut short anywhere', async () => {
    const text = await sealer.seal('{}', place);
    for (let length = 0; length < text.length; length += 1)
      expect(await codeOf(sealer.open(text.slice(0, length), place))).not.toBe('opened');
  });

  it('does not open under another id of the same key', async () => {
    const twice = createSealer({ current: 'k1', ring: { k1: key(1), k2: key(1) } });
    const text = await sealer.seal('{}', place);
    expect(await codeOf(twice.open(text.replace('v1.k1.', 'v1.k2.'), place))).toBe('tampered');
  });

  it('says malformed for what nobody here wrote, and quotes none of it', async () => {
    for (const text of ['', '{"token":"canary"}', 'v2.k1.AAAA', 'v1.k1.', 'v1.k1.AAAA', 'v1..AA']) {
      const opening = sealer.open(text, place);
      await expect(opening).rejects.toMatchObject({ code: 'malformed', kind: 'grant' });
      await expect(opening).rejects.not.toThrow(/canary/);
    }
  });
});

describe('the key ring', () => {
  it('seals with the current key and still opens what an older one sealed', async () => {
    const old = await sealer.seal('old', place);
    const rotated = createSealer({ current: 'k2', ring: { k1: key(1), k2: key(2) } });
    expect(await rotated.open(old, place)).toBe('old');
    expect(await rotated.seal('new', place)).toMatch(/^v1\.k2\./);
  });

  it('names the key and the kind of record when the key is gone', async () => {
    const retired = createSealer({ current: 'k2', ring: { k2: key(2) } });
    const opening = retired.open(await sealer.seal('old', place), place);
    await expect(opening).rejects.toMatchObject({ code: 'unknown_key', kind: 'grant' });
    await expect(opening).rejects.toThrow(/^A grant record .*"k1".*keys\.ring\.k1/);
  });

  it('does not change when the caller wipes its keys', async () => {
    const bytes = key(1);
    const early = createSealer({ current: 'k1', ring: { k1: bytes } });
    bytes.fill(0);
    expect(await sealer.open(await early.seal('x', place), place)).toBe('x');
  });

  it.each([
    ['a short key', { current: 'a', ring: { a: new Uint8Array(16) } }, 'keys.ring.a', '16 bytes'],
    ['an empty id', { current: '', ring: { '': key(1) } }, 'keys.ring.', '1 to 64'],
    ['an id with a dot', { current: 'a.b', ring: { 'a.b': key(1) } }, 'keys.ring.a.b', '"a.b"'],
    ['no current key', { current: 'b', ring: { a: key(1) } }, 'keys.ring.b', 'a ring of a'],
    ['an empty ring', { current: 'a', ring: {} }, 'keys.ring.a', 'an empty ring'],
    ['an inherited id', { current: 'toString', ring: {} }, 'keys.ring.toString', 'an empty ring'],
  ])('refuses %s and names the field', (_what, keys, path, words) => {
    expect(() => createSealer(keys)).toThrow(ConfigurationError);
    expect(() => createSealer(keys)).toThrow(expect.objectContaining({ paths: [path] }));
    expect(() => createSealer(keys)).toThrow(words);
  });
});

describe('an unsealed store', () => {
  const unsealed = createSealer(undefined);

  it('keeps values in the clear, and says so', async () => {
    const text = await unsealed.seal('{"a":1}', place);
    expect(text).toBe('v0.{"a":1}');
    expect(await unsealed.open(text, place)).toBe('{"a":1}');
    expect([unsealed.sealed, sealer.sealed]).toEqual([false, true]);
  });

  it('is not trusted by a runtime that has keys', async () => {
    const text = await unsealed.seal('{}', place);
    await expect(sealer.open(text, place)).rejects.toMatchObject({ code: 'not_sealed' });
  });

  it('cannot open what is sealed, and names the key that it lacks', async () => {
    const text = await sealer.seal('{}', place);
    await expect(unsealed.open(text, place)).rejects.toMatchObject({ code: 'unknown_key' });
    await expect(unsealed.open('{}', place)).rejects.toMatchObject({ code: 'malformed' });
  });
});
