import type { RecordIndex, RecordQuery } from '@outlive/core';

/** The names of a store's keys. They share one hash tag, so that a cluster keeps them in one slot. */
export interface Keyspace {
  /** The hash of a record; also the channel that tells of its writes. */
  record(key: string): string;
  /** The stream of entries; also its channel. */
  stream(name: string): string;
  /** The sorted set that `list` reads. */
  readonly index: string;
  /** The version of this layout. */
  readonly schema: string;
  /** Written only to have something to wait for. */
  readonly fence: string;
}

/** @param prefix tells the store from others on the same server. */
export function keyspace(prefix: string): Keyspace {
  const tag = `{${prefix}}`;
  return {
    record: (key) => `${tag}:r:${key}`,
    stream: (name) => `${tag}:s:${name}`,
    index: `${tag}:index`,
    schema: `${tag}:schema`,
    fence: `${tag}:fence`,
  };
}

/**
 * A time as text that sorts as the number does, whatever its sign: the bits of the double, in hexadecimal. A record that
 * is never due sorts after all others.
 */
export function dueText(dueAt: number | undefined): string {
  if (dueAt === undefined) return neverDue;
  const view = new DataView(new ArrayBuffer(8));
  // Zero and negative zero are one time.
  view.setFloat64(0, dueAt + 0);
  const bits = view.getBigUint64(0);
  const signBit = 1n << 63n;
  const ordered = (bits & signBit) === 0n ? bits | signBit : BigInt.asUintN(64, ~bits);
  return ordered.toString(16).padStart(16, '0');
}

/** The time that {@link dueText} wrote. */
export function dueFromText(text: string): number | undefined {
  if (text === neverDue) return undefined;
  const ordered = BigInt(`0x${text}`);
  const signBit = 1n << 63n;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(
    0,
    (ordered & signBit) === 0n ? BigInt.asUintN(64, ~ordered) : ordered ^ signBit,
  );
  return view.getFloat64(0);
}

const neverDue = 'n'.repeat(16);

/** A range of members of the index, all of one group, in the order of `dueAt`. */
export interface IndexRange {
  /** Where the members of the group begin; what follows is the due text, then the key. */
  readonly prefix: string;
  readonly from: string;
  readonly to: string;
}

/**
 * The members to look at for `query`: of the narrowest group that it names. Other fields have to be compared with the
 * records. Undefined when nothing can match.
 */
export function indexRange(
  query: RecordQuery,
  afterMember: string | undefined,
): IndexRange | undefined {
  const prefix = `${query.kind}|${groupOf(query)}|`;
  if (Number.isNaN(query.dueBefore)) return undefined;
  return {
    prefix,
    from: afterMember === undefined ? `[${prefix}` : `(${afterMember}`,
    // Hexadecimal digits and n sort before ~; the due text of a later time sorts after the separator and }.
    to: query.dueBefore === undefined ? `(${prefix}~` : `(${prefix}${dueText(query.dueBefore)}}`,
  };
}

/** The key of the record that `member` stands for. */
export function keyOfMember(member: string, prefix: string): string {
  return member.slice(prefix.length + neverDue.length + 1);
}

/** As in the script that writes the members: lengths are in bytes. */
function groupOf({ taskId, subject, status }: RecordQuery): string {
  if (taskId !== undefined) return `t${Buffer.byteLength(taskId)}:${taskId}`;
  if (subject !== undefined) return `u${Buffer.byteLength(subject)}:${subject}`;
  if (status !== undefined) return `s${Buffer.byteLength(status)}:${status}`;
  return '';
}

/** Whether a record with `index` is one that `query` asks for. */
export function matches(index: RecordIndex, query: RecordQuery): boolean {
  return (
    index.kind === query.kind &&
    (query.status === undefined || index.status === query.status) &&
    (query.subject === undefined || index.subject === query.subject) &&
    (query.taskId === undefined || index.taskId === query.taskId) &&
    (query.dueBefore === undefined || (index.dueAt !== undefined && index.dueAt <= query.dueBefore))
  );
}
