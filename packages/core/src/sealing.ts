import type { CryptoKey } from 'jose';
import { decode as decodeBase64Url, encode as encodeBase64Url } from 'jose/base64url';
import { checkKeyRing, type KeyRing } from './key-ring.ts';
import type { RecordIndex, RecordKind } from './store.ts';

/** A record's index, or that of an entry of a journal, which is sealed in the same way. */
export interface SealedIndex extends Omit<RecordIndex, 'kind'> {
  readonly kind: RecordKind | 'journal';
}

/** Where a sealed value belongs. It opens nowhere else. */
export interface SealedPlace {
  readonly key: string;
  readonly version: number;
  readonly index: SealedIndex;
}

/**
 * Seals and opens the values of records.
 *
 * A value cannot be moved to another record, version or index. A whole record put back from a backup cannot be
 * told by sealing: who reads it compares its rotation number with what they know.
 */
export interface Sealer {
  /** Whether values are encrypted at all. */
  readonly sealed: boolean;
  seal(plain: string, place: SealedPlace): Promise<string>;
  /** @throws {SealingError} whenever `text` is not what was sealed for `place`. */
  open(text: string, place: SealedPlace): Promise<string>;
}

/** What is known about a {@link SealingError} beyond its code. */
export interface SealingErrorOptions extends ErrorOptions {
  readonly kind: SealingError['kind'];
  /** What is wrong, as the end of a sentence. Never holds what was stored. */
  readonly problem: string;
}

/** A stored value that cannot be opened. It is there: never treat it as missing, and never overwrite it. */
export class SealingError extends Error {
  override readonly name = 'SealingError';
  /**
   * - `unknown_key`: sealed with a key that is not in the ring.
   * - `tampered`: not what was sealed, or not for this record, version and index.
   * - `not_sealed`: in the clear, where the runtime has keys and trusts only what is sealed.
   * - `malformed`: nothing this library wrote.
   */
  readonly code: 'unknown_key' | 'tampered' | 'not_sealed' | 'malformed';
  readonly kind: RecordKind | 'journal';

  constructor(code: SealingError['code'], options: SealingErrorOptions) {
    super(
      `A ${options.kind} record cannot be opened: ${options.problem}.`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.kind = options.kind;
  }
}

const unsealedHeader = 'v0.';
const sealedHeader = /^v1\.([A-Za-z0-9_-]{1,64})\./;
const ivBytes = 12;
const tagBytes = 16;
/** `ignoreBOM` keeps a leading byte order mark, which would otherwise vanish from the value. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * AES-256-GCM with a random 96-bit IV (NIST SP 800-38D allows 2^32 values a key: rotate long before). Without
 * `keys` values are stored in the clear, and sealed ones are refused.
 *
 * @throws {ConfigurationError} when a key or an id of the ring cannot be used.
 */
export function createSealer(keys: KeyRing | undefined): Sealer {
  return keys === undefined ? unsealedSealer : sealerFor(keys);
}

function sealerFor(keys: KeyRing): Sealer {
  const { current, ring } = checkKeyRing(keys);
  const imported = new Map<string, Promise<CryptoKey>>();

  function importedKey(id: string, bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
    const known = imported.get(id);
    if (known !== undefined) return known;
    const key = crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
    imported.set(id, key);
    return key;
  }

  return {
    sealed: true,

    async seal(plain, place) {
      const header = `v1.${current.id}.`;
      const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
      const encrypted = await crypto.subtle.encrypt(
        { name: 'AES-GCM', iv, additionalData: additionalData(header, place) },
        await importedKey(current.id, current.bytes),
        new TextEncoder().encode(plain),
      );
      const payload = new Uint8Array(ivBytes + encrypted.byteLength);
      payload.set(iv);
      payload.set(new Uint8Array(encrypted), ivBytes);
      return header + encodeBase64Url(payload);
    },

    async open(text, place) {
      const { kind } = place.index;
      if (text.startsWith(unsealedHeader))
        throw new SealingError('not_sealed', {
          kind,
          problem: 'it is stored in the clear, and keys are set',
        });
      const [header, id] = sealedHeader.exec(text) ?? [];
      if (header === undefined || id === undefined) throw unknownHeader(kind);
      const bytes = ring.get(id);
      if (bytes === undefined) throw unknownKey(id, kind);

      const key = await importedKey(id, bytes);
      const payload = payloadOf(text.slice(header.length), kind);
      const iv = payload.subarray(0, ivBytes);
      try {
        const plain = await crypto.subtle.decrypt(
          { name: 'AES-GCM', iv, additionalData: additionalData(header, place) },
          key,
          payload.subarray(ivBytes),
        );
        return decoder.decode(plain);
      } catch (cause) {
        const problem = `it is not what was sealed with key "${id}" for this record, version and index`;
        throw new SealingError('tampered', { kind, problem, cause });
      }
    },
  };
}

const unsealedSealer: Sealer = {
  sealed: false,
  seal: async (plain) => unsealedHeader + plain,
  async open(text, place) {
    const { kind } = place.index;
    if (text.startsWith(unsealedHeader)) return text.slice(unsealedHeader.length);
    const id = sealedHeader.exec(text)?.[1];
    throw id === undefined ? unknownHeader(kind) : unknownKey(id, kind);
  },
};

function unknownHeader(kind: SealingError['kind']): SealingError {
  return new SealingError('malformed', { kind, problem: 'it has no header that is known' });
}

function unknownKey(id: string, kind: SealingError['kind']): SealingError {
  const problem = `it is sealed with key "${id}", which is not in the key ring; add it as keys.ring.${id}`;
  return new SealingError('unknown_key', { kind, problem });
}

function payloadOf(text: string, kind: SealingError['kind']): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(decodeBase64Url(text));
  } catch (cause) {
    throw new SealingError('malformed', { kind, problem: 'its payload is not base64url', cause });
  }
  if (bytes.byteLength < ivBytes + tagBytes)
    throw new SealingError('malformed', { kind, problem: 'its payload is cut short' });
  // Decoders forgive stray characters and unused bits; here a value has exactly one spelling.
  if (encodeBase64Url(bytes) !== text)
    throw new SealingError('malformed', {
      kind,
      problem: 'its payload is not canonical base64url',
    });
  return bytes;
}

/** JSON of a fixed list: every field has its place, and texts cannot run into each other. */
function additionalData(header: string, place: SealedPlace): Uint8Array<ArrayBuffer> {
  const { kind, status, subject, taskId, dueAt } = place.index;
  const fields = [status, subject, taskId, dueAt].map((field) => field ?? null);
  return new TextEncoder().encode(
    JSON.stringify([header, place.key, place.version, kind, ...fields]),
  );
}
