import type { AuditEvent } from './audit-event.ts';
import { canonicalJson } from './canonical-json.ts';
import type { KeyedHash } from './keyed-hash.ts';
import type { StreamEntry } from './store.ts';

/** An event as it stands in a stream, chained to the one before it. */
export interface AuditEntry extends AuditEvent {
  readonly stream: string;
  /** 1 for the first entry of the stream; no gaps. */
  readonly sequence: number;
  /** HMAC over the previous entry's hash and this entry, base64url. */
  readonly hash: string;
  /** Drawn when the event was recorded; tells two events that read the same apart. */
  readonly id: string;
  /** Events of this stream that were given up just before this one, since the queue was full. */
  readonly dropped?: number;
}

/** A place in a stream to hold on to: an entry's sequence and hash, kept where the store's owner cannot reach. */
export interface AuditHead {
  readonly sequence: number;
  readonly hash: string;
}

/**
 * Whether a stream is what was written.
 *
 * The chain is keyed: without the audit key nobody can write an entry, or mend the chain after removing one.
 * An end that was cut off leaves a good chain behind; only an anchored {@link AuditHead} shows it.
 *
 * - `changed`: the entry is not what was written there.
 * - `missing`: the entry is gone.
 * - `reordered`: another entry of the stream stands in its place, and it stands somewhere later.
 * - `foreign`: the entry belongs to another stream.
 */
export type ChainVerification =
  | { readonly ok: true; readonly stream: string; readonly entries: number }
  | {
      readonly ok: false;
      readonly stream: string;
      /** The first entry that is not right. */
      readonly sequence: number;
      readonly problem: 'changed' | 'missing' | 'reordered' | 'foreign';
    };

/** What the first entry of a stream is chained to. */
export const chainStart = '';

const emptyHash = '"hash":"",';

/** The entry, with the hash that chains it to the entry whose hash is `previousHash`, and the text it is stored as. */
export function chainEntry(
  keyedHash: KeyedHash,
  previousHash: string,
  content: Omit<AuditEntry, 'hash'>,
): { readonly entry: AuditEntry; readonly text: string } {
  const entry = { ...content, hash: '' };
  // Written down once: what is hashed is what is stored, less the hash. No other place reads like its own, since quotes
  // are escaped within a field; and a field follows it, since `id` does.
  const unhashed = canonicalJson(entry);
  const at = unhashed.indexOf(emptyHash);
  const before = unhashed.slice(0, at);
  const after = unhashed.slice(at + emptyHash.length);
  // The previous hash has one length, and the entry starts with a brace: the two cannot run into each other.
  entry.hash = keyedHash.chainHash(`${previousHash}\n${before}${after}`);
  return { entry, text: `${before}"hash":"${entry.hash}",${after}` };
}

/** The text an entry is stored as. There is exactly one for each entry. */
export function encodeEntry(entry: AuditEntry): string {
  return canonicalJson(entry);
}

/** The entry that `text` holds; `undefined` when {@link encodeEntry} did not write it. */
export function decodeEntry(text: string): AuditEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not an entry: that is the answer, and the caller says where it found it.
    return undefined;
  }
  return isEntry(value) && encodeEntry(value) === text ? value : undefined;
}

const required: readonly (keyof AuditEntry)[] = ['stream', 'sequence', 'hash', 'id', 'type', 'at'];
const numbers: readonly (keyof AuditEntry)[] = ['sequence', 'at', 'generation', 'dropped'];

/** Every reader relies on these types, also of entries that somebody else may have written. */
function isEntry(value: unknown): value is AuditEntry {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return required.every((name) => fields.has(name)) && [...fields].every(isField);
}

function isField([name, field]: [string, unknown]): boolean {
  if (numbers.some((known) => known === name)) return typeof field === 'number';
  if (name === 'scopes') return isTextList(field);
  return typeof field === 'string';
}

function isTextList(field: unknown): boolean {
  return Array.isArray(field) && field.every((item) => typeof item === 'string');
}

/** Walks the chain from its start and stops at the first entry that is not right. */
export async function verifyChain(
  keyedHash: KeyedHash,
  stream: string,
  stored: AsyncIterable<StreamEntry>,
  anchor?: AuditHead,
): Promise<ChainVerification> {
  let previousHash = chainStart;
  let expected = 1;
  /** An entry that stands where `expected` should, and belongs to a later place. */
  let misplaced = false;

  for await (const { sequence, value } of stored) {
    const entry = decodeEntry(value);
    if (misplaced) {
      if (entry?.stream === stream && entry.sequence === expected) return wrong('reordered');
      continue;
    }
    if (sequence !== expected) return wrong('missing');
    if (entry === undefined) return wrong('changed');
    if (entry.stream !== stream) return wrong('foreign');
    if (entry.sequence > expected) {
      misplaced = true;
      continue;
    }
    if (entry.sequence < expected) return wrong('reordered');
    const { hash, ...content } = entry;
    if (chainEntry(keyedHash, previousHash, content).text !== value) return wrong('changed');
    if (anchor?.sequence === expected && anchor.hash !== hash) return wrong('changed');
    previousHash = hash;
    expected += 1;
  }

  if (misplaced || (anchor !== undefined && anchor.sequence >= expected)) return wrong('missing');
  return { ok: true, stream, entries: expected - 1 };

  function wrong(problem: (ChainVerification & { ok: false })['problem']): ChainVerification {
    return { ok: false, stream, sequence: expected, problem };
  }
}
