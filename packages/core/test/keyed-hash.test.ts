import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../src/errors.ts';
import { createKeyedHash, type HashPurpose } from '../src/keyed-hash.ts';

const secret = new Uint8Array(32).fill(7);
const purposes: readonly HashPurpose[] = ['subject', 'grant', 'match'];

describe('the keyed hash', () => {
  it('is HMAC-SHA-256 under a key that HKDF derives for the purpose', async () => {
    const { hash, chainHash } = createKeyedHash(secret);
    const expected = (purpose: string): string => {
      const key = hkdfSync('sha256', secret, '', `outlive keyed-hash v1 ${purpose}`, 32);
      return createHmac('sha256', Buffer.from(key)).update('añna').digest('base64url');
    };
    for (const purpose of purposes)
      expect(await hash(purpose, 'añna')).toBe(expected(purpose).slice(0, 22));
    expect(chainHash('añna')).toBe(expected('audit'));
  });

  it('is the same in every process that has the same secret, and on every call', async () => {
    const one = createKeyedHash(secret);
    const other = createKeyedHash(new Uint8Array(secret));
    const first = await one.hash('subject', 'anna');
    expect(await one.hash('subject', 'anna')).toBe(first);
    expect(await other.hash('subject', 'anna')).toBe(first);
  });

  it('differs with the purpose, the secret and the text', async () => {
    const { hash } = createKeyedHash(secret);
    const other = createKeyedHash(new Uint8Array(32).fill(8));
    const all = await Promise.all([
      hash('subject', 'anna'),
      hash('grant', 'anna'),
      hash('match', 'anna'),
      hash('subject', 'berta'),
      other.hash('subject', 'anna'),
      createKeyedHash(undefined).hash('subject', 'anna'),
    ]);
    expect(new Set(all).size).toBe(all.length);
  });

  it('agrees between processes that have no secret', async () => {
    const texts = [createKeyedHash(undefined), createKeyedHash(undefined)].map(({ hash }) =>
      hash('grant', 'acme'),
    );
    const [one, other] = await Promise.all(texts);
    expect(one).toBe(other);
  });

  it('does not change when the caller wipes the secret', async () => {
    const wiped = new Uint8Array(secret);
    const { hash } = createKeyedHash(wiped);
    wiped.fill(0);
    expect(await hash('match', 'x')).toBe(await createKeyedHash(secret).hash('match', 'x'));
  });

  it('answers the same for more names than it remembers', async () => {
    const { hash } = createKeyedHash(secret);
    const first = await hash('subject', 'person 0');
    for (let person = 0; person < 2500; person += 1) await hash('subject', `person ${person}`);
    expect(await hash('subject', 'person 0')).toBe(first);
  });

  it('refuses a short secret and names the field', () => {
    expect(() => createKeyedHash(new Uint8Array(31))).toThrow(ConfigurationError);
    expect(() => createKeyedHash(new Uint8Array(31))).toThrow(
      'keys.hash: expected at least 32 bytes; got 31',
    );
  });

  it('refuses half a surrogate pair, which would share its hash with another text', async () => {
    await expect(createKeyedHash(secret).hash('subject', '\ud800')).rejects.toThrow(TypeError);
  });
});
