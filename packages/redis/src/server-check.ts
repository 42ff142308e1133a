import { StoreError } from '@outlive/core';
import type { Keyspace } from './keyspace.ts';
import { type Outcome, type RedisConnection, replyOf, replyTo } from './redis-connection.ts';
import { replyCode } from './redis-error.ts';

const schemaVersion = '1';

const atRisk =
  'an acknowledged rotation could be lost, and its refresh token would be presented a second time, which ends the ' +
  "user's session at issuers that detect reuse";

/**
 * Looks at the server before the store is used: refuses a replica and a newer layout, and warns where the server's
 * settings let acknowledged writes be lost.
 *
 * @throws Error READONLY on a replica; StoreError `newer_schema` when a newer version of this package wrote the data.
 */
export async function checkServer(
  connection: RedisConnection,
  keys: Keyspace,
  requireReplicas: number,
  warn: (message: string) => void,
): Promise<void> {
  const [schema, append, eviction, replication] = await connection.sendTogether([
    ['GET', keys.schema],
    ['CONFIG', 'GET', 'append*'],
    ['CONFIG', 'GET', 'maxmemory-policy'],
    ['INFO', 'replication'],
  ]);
  const found = replyOf(schema);
  const state = parseInfo(optional(replication));
  // In the words that the server has for writes: it may be about to be replaced by a failover.
  if (state.get('role') === 'slave') throw new Error('READONLY This server is a replica.');
  if (found === null || found === undefined)
    await replyTo(connection, ['SET', keys.schema, schemaVersion, 'NX']);
  else if (found !== schemaVersion)
    throw new StoreError(
      'newer_schema',
      `The data under ${keys.schema} has layout ${String(found)}; this version of @outlive/redis knows ${schemaVersion}. ` +
        'Upgrade @outlive/redis in this process.',
    );
  for (const warning of [
    persistenceWarning(append),
    evictionWarning(eviction),
    replicationWarning(state, requireReplicas),
  ])
    if (warning !== undefined) warn(`@outlive/redis: ${warning}`);
}

function persistenceWarning(outcome: Outcome | undefined): string | undefined {
  const settings = parseSettings(optional(outcome));
  const appendOnly = settings?.get('appendonly');
  const fsync = settings?.get('appendfsync');
  if (appendOnly === undefined || fsync === undefined)
    return (
      'it could not be checked how Redis keeps data (CONFIG GET is not allowed). Unless it runs with appendonly yes and ' +
      `appendfsync always, a crash can undo acknowledged writes: ${atRisk}.`
    );
  if (appendOnly === 'no')
    return (
      'Redis runs with appendonly no. A crash or restart undoes everything since the last snapshot: ' +
      `${atRisk}. Set appendonly yes and appendfsync always.`
    );
  if (fsync !== 'always')
    return (
      `Redis runs with appendfsync ${fsync}. A crash of its machine can undo acknowledged writes of the last second or ` +
      `more: ${atRisk}. Set appendfsync always.`
    );
  return undefined;
}

function evictionWarning(outcome: Outcome | undefined): string | undefined {
  const policy = parseSettings(optional(outcome))?.get('maxmemory-policy');
  // Policies of the other family evict only keys that expire by themselves; the store has none.
  if (!policy?.startsWith('allkeys')) return undefined;
  return (
    `Redis runs with maxmemory-policy ${policy}. When memory is short it removes records that are in use, and users have ` +
    'to authorize again. Set maxmemory-policy noeviction, or use a server of its own.'
  );
}

function replicationWarning(
  state: ReadonlyMap<string, string>,
  requireReplicas: number,
): string | undefined {
  const replicas = Number(state.get('connected_slaves') ?? 0);
  if (requireReplicas > 0 || replicas === 0) return undefined;
  return (
    `Redis has ${replicas} replica${replicas === 1 ? '' : 's'}, and copies to them after it has answered. A failover can undo ` +
    `acknowledged writes: ${atRisk}. Set requireReplicas to have each write confirmed by replicas first.`
  );
}

/** The reply; undefined where the server does not allow the question. */
function optional(outcome: Outcome | undefined): unknown {
  try {
    return replyOf(outcome);
  } catch (error) {
    // Hosted servers refuse CONFIG, and users may lack the right; a broken connection is another matter.
    if (replyCode(error) === undefined) throw error;
    return undefined;
  }
}

/** A list of names and values, or an object, or a map, depending on client and protocol. */
function parseSettings(reply: unknown): ReadonlyMap<string, string> | undefined {
  if (reply === undefined || reply === null) return undefined;
  if (reply instanceof Map)
    return new Map([...reply].map(([name, value]) => [`${name}`, `${value}`]));
  if (!Array.isArray(reply))
    return new Map(Object.entries(reply).map(([name, value]) => [name, String(value)]));
  const pairs = new Map<string, string>();
  for (let at = 0; at + 1 < reply.length; at += 2)
    pairs.set(String(reply[at]), String(reply[at + 1]));
  return pairs;
}

function parseInfo(reply: unknown): ReadonlyMap<string, string> {
  const lines = typeof reply === 'string' ? reply.split('\r\n') : [];
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}
