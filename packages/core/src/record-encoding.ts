import { SealingError } from './sealing.ts';
import { Secret } from './secret.ts';
import type { RecordKind } from './store.ts';

const secretField = '$secret';
/** A field of a user's own object that looks like ours; it is stored with one more `$`. */
const lookalike = /^\$+secret$/;
const escaped = /^\$\$+secret$/;

/**
 * A record's value as text, with its secrets in the clear: for the sealer and for nobody else.
 *
 * @throws {TypeError} when `value` is not JSON data.
 */
export function encodeRecord(value: unknown): string {
  const text: unknown = JSON.stringify(value, replaceSecret);
  if (typeof text !== 'string')
    throw new TypeError(`record value: expected JSON data; got ${typeof value}`);
  return text;
}

/**
 * The value that {@link encodeRecord} was given.
 *
 * @throws {SealingError} `malformed` when `text` is no such value.
 */
export function decodeRecord(text: string, kind: RecordKind): unknown {
  try {
    return JSON.parse(text, reviveSecret);
  } catch (cause) {
    throw new SealingError('malformed', { kind, problem: 'its content is not a record', cause });
  }
}

function replaceSecret(this: Record<string, unknown>, key: string, value: unknown): unknown {
  // Secret.toJSON has already run on `value`; the holder still has the Secret itself.
  const original = this[key];
  if (original instanceof Secret) return { [secretField]: original.reveal() };
  return renameFields(value, lookalike, (name) => `$${name}`);
}

function reviveSecret(_key: string, value: unknown): unknown {
  if (isObject(value) && Object.hasOwn(value, secretField)) {
    const plain = value[secretField];
    if (typeof plain !== 'string') throw new TypeError(`${secretField}: expected text`);
    return new Secret(plain);
  }
  return renameFields(value, escaped, (name) => name.slice(1));
}

function renameFields(value: unknown, pattern: RegExp, rename: (name: string) => string): unknown {
  if (!isObject(value) || !Object.keys(value).some((name) => pattern.test(name))) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [pattern.test(name) ? rename(name) : name, field]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
