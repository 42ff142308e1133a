import type {
  ListedRecord,
  RecordIndex,
  RecordKind,
  RecordQuery,
  StoredRecord,
  StreamEntry,
} from '@outlive/core';
import {
  dueFromText,
  dueText,
  indexRange,
  type Keyspace,
  keyOfMember,
  matches,
} from './keyspace.ts';
import { type RedisConnection, replyOf, replyTo } from './redis-connection.ts';

/** One page of `list` or `read`; `next` says where the next one starts, and is absent on the last. */
export interface Page<T, Cursor> {
  readonly found: readonly T[];
  readonly next?: Cursor;
}

/** How many records or entries one page has. */
const pageSize = 128;

type Field = string | null | undefined;

/** The record at `key`. */
export async function readRecord(
  connection: RedisConnection,
  keys: Keyspace,
  key: string,
): Promise<StoredRecord | undefined> {
  const command = ['HMGET', keys.record(key), 'v', 'r', 'k', 'd', 's', 'u', 't'];
  const [version, value, ...index] = (await replyTo(connection, command)) as Field[];
  if (!version) return undefined;
  return { version: Number(version), value: value ?? null, index: indexFrom(index) };
}

/** Records that match `query`, from the member of the index after `after`. */
export async function readRecords(
  connection: RedisConnection,
  keys: Keyspace,
  query: RecordQuery,
  after: string | undefined,
): Promise<Page<ListedRecord, string>> {
  const range = indexRange(query, after);
  if (range === undefined) return { found: [] };
  const members = (await replyTo(connection, [
    ...['ZRANGE', keys.index, range.from, range.to],
    ...['BYLEX', 'LIMIT', '0', String(pageSize)],
  ])) as string[];
  const memberKeys = members.map((member) => keyOfMember(member, range.prefix));
  const outcomes = await connection.send(
    memberKeys.map((key) => ['HMGET', keys.record(key), 'v', 'x', 'k', 'd', 's', 'u', 't']),
  );
  const found = outcomes.flatMap((outcome, at) => {
    const [version, isTombstone, ...fields] = replyOf(outcome) as Field[];
    // Written since the page of the index was read: it may be gone, or be another page's.
    if (!version || isTombstone) return [];
    const index = indexFrom(fields);
    if (!matches(index, query)) return [];
    return [{ key: memberKeys[at] ?? '', version: Number(version), index }];
  });
  const lastMember = members.at(-1);
  return members.length === pageSize && lastMember !== undefined
    ? { found, next: lastMember }
    : { found };
}

/** Entries of a stream, from sequence `from`. */
export async function readEntries(
  connection: RedisConnection,
  keys: Keyspace,
  stream: string,
  from: number,
): Promise<Page<StreamEntry, number>> {
  const first = String(Math.max(1, Math.ceil(from)));
  const command = ['XRANGE', keys.stream(stream), first, '+', 'COUNT', String(pageSize)];
  const found = entriesFrom(await replyTo(connection, command));
  const last = found.at(-1);
  return found.length === pageSize && last !== undefined
    ? { found, next: last.sequence + 1 }
    : { found };
}

/** The newest entry of a stream. */
export async function readLastEntry(
  connection: RedisConnection,
  keys: Keyspace,
  stream: string,
): Promise<StreamEntry | undefined> {
  const command = ['XREVRANGE', keys.stream(stream), '+', '-', 'COUNT', '1'];
  return entriesFrom(await replyTo(connection, command))[0];
}

/** The arguments of the script that writes `index`, after the value. */
export function indexArguments(index: RecordIndex): readonly string[] {
  const optional = [index.status, index.subject, index.taskId];
  return [
    index.kind,
    dueText(index.dueAt),
    ...optional.map((text) => (text === undefined ? '' : `=${text}`)),
  ];
}

function indexFrom([kind, due, status, subject, taskId]: readonly Field[]): RecordIndex {
  const dueAt = dueFromText(due ?? '');
  return {
    kind: kind as RecordKind,
    ...(isText(status) ? { status } : {}),
    ...(isText(subject) ? { subject } : {}),
    ...(isText(taskId) ? { taskId } : {}),
    ...(dueAt === undefined ? {} : { dueAt }),
  };
}

function isText(field: Field): field is string {
  return typeof field === 'string';
}

function entriesFrom(reply: unknown): readonly StreamEntry[] {
  // Each is [id, [name, value]], and the id is the sequence with a second part that is always 0.
  const entries = (reply ?? []) as [id: string, fields: [name: string, value: string]][];
  return entries.map(([id, [, value]]) => ({ sequence: Number.parseInt(id, 10), value }));
}
