import { ConfigurationError } from './errors.ts';

/** The keys that seal what is stored. Old ones stay in the ring until nothing is sealed with them any more. */
export interface KeyRing {
  /** Id of the key that new values are sealed with. */
  readonly current: string;
  /** 32 random bytes by key id. Ids are stored beside each value: letters, digits, `-` and `_`. */
  readonly ring: Readonly<Record<string, Uint8Array>>;
}

/** A {@link KeyRing} that has been found good, copied, so that a caller who wipes its buffers changes nothing. */
export interface CheckedKeyRing {
  readonly current: { readonly id: string; readonly bytes: Uint8Array<ArrayBuffer> };
  readonly ring: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

const keyId = /^[A-Za-z0-9_-]{1,64}$/;
const keyBytes = 32;

/** @throws {ConfigurationError} when a key or an id cannot be used, or the current key is not there. */
export function checkKeyRing(keys: KeyRing): CheckedKeyRing {
  const ring = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [id, bytes] of Object.entries(keys.ring)) {
    const path = `keys.ring.${id}`;
    if (!keyId.test(id))
      throw badRing(path, 'expected an id of 1 to 64 letters, digits, "-" or "_"', `"${id}"`);
    if (!(bytes instanceof Uint8Array))
      throw badRing(path, `expected a Uint8Array of ${keyBytes} bytes`, typeof bytes);
    if (bytes.byteLength !== keyBytes)
      throw badRing(path, `expected ${keyBytes} bytes`, `${bytes.byteLength} bytes`);
    ring.set(id, new Uint8Array(bytes));
  }
  const current = ring.get(keys.current);
  if (current === undefined)
    throw badRing(
      `keys.ring.${keys.current}`,
      'expected the key that keys.current names',
      ring.size === 0 ? 'an empty ring' : `a ring of ${[...ring.keys()].join(', ')}`,
    );
  return { current: { id: keys.current, bytes: current }, ring };
}

function badRing(path: string, expected: string, got: string): ConfigurationError {
  return new ConfigurationError(`${path}: ${expected}; got ${got}`, [path]);
}
