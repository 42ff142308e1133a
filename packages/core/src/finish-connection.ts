import {
  type ConnectionRecord,
  type ConnectionResult,
  refuseConnection,
} from './connection-record.ts';
import { type DecisionResult, takeWord } from './decide-pause.ts';
import { AuthError, type AuthErrorCode } from './errors.ts';
import type { ImportGrant } from './grant-import.ts';
import { expectedTokenType, type GrantRecord } from './grant-record.ts';
import type { TokenSet } from './issuer.ts';
import type { Pause } from './pause-record.ts';
import { openRoles } from './pause-steps.ts';
import { isClosed, type PauseContext } from './pauses.ts';
import { principalId } from './principal-id.ts';
import type { TaskRecord } from './task-record.ts';

/** Pauses that a new authorization by the user can end. */
const reauthorizable: ReadonlySet<AuthErrorCode> = new Set([
  'reauthorization_required',
  'step_up_required',
  'insufficient_scope',
]);

/**
 * Stores what an issuer granted, if it is the account that it must be, and takes the person's word for the pauses
 * that waited for it.
 *
 * Tokens of another account are let go of and not revoked: at many issuers that would end whatever else that account
 * has granted to this app, and it is somebody else's.
 */
export async function finishConnection(
  context: PauseContext,
  connection: ConnectionRecord,
  tokens: TokenSet,
  issuedAt: number,
): Promise<ConnectionResult> {
  const { runtime, pauses } = context;
  const { grants, records } = runtime;
  const expectedType = expectedTokenType(connection.proofKey);
  if (tokens.tokenType !== expectedType)
    throw new AuthError('misconfigured', {
      reason: 'token_type',
      detail: `expected "${expectedType}"; the issuer sent "${tokens.tokenType}"`,
    });
  const { reference, pauseId } = connection;
  const before = await records.get<GrantRecord>(await grants.key(reference));
  for (const expected of [before?.value.issuerSubject, connection.issuerSubject])
    if (expected !== undefined && tokens.subject !== expected)
      return refuseConnection(runtime, connection, 'it is another account than it must be');
  const pause = pauseId === undefined ? undefined : (await pauses.get(pauseId))?.value;
  if (pauseId !== undefined && (pause === undefined || isClosed(pause)))
    return refuseConnection(runtime, connection, 'the pause it was for is closed');

  const asked = new Set([...connection.scopes, ...(before?.value.scopes ?? [])]);
  const unasked = (tokens.scopes ?? []).filter((scope) => !asked.has(scope));
  const grant = await grants.take(grantOf(connection, tokens, issuedAt), 'grant-connected', {
    ...(unasked.length === 0
      ? {}
      : { reason: `the issuer granted more than was asked for: ${unasked.join(' ')}` }),
  });
  const granted = tokens.scopes ?? connection.scopes;
  return {
    status: 'connected',
    grant,
    pauses: await confirmWaiting(context, connection, granted),
    ...(unasked.length === 0 ? {} : { unasked }),
  };
}

function grantOf(
  { reference, indicators, proofKey }: ConnectionRecord,
  tokens: TokenSet,
  issuedAt: number,
): ImportGrant {
  const { accessToken, refreshToken, expiresInMs, scopes, subject } = tokens;
  return {
    ...reference,
    tokens: {
      access_token: accessToken.reveal(),
      token_type: tokens.tokenType,
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken.reveal() }),
      ...(expiresInMs === undefined ? {} : { expires_in: expiresInMs / 1000 }),
      ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
    },
    ...(indicators.length === 0 ? {} : { resources: indicators }),
    ...(subject === undefined ? {} : { issuerSubject: subject }),
    ...(proofKey === undefined ? {} : { proofKey: JSON.parse(proofKey.reveal()) }),
    issuedAt,
    replace: true,
  };
}

/** Who authorizes again has given their word as the user, for every task that waited for nothing but that. */
async function confirmWaiting(
  context: PauseContext,
  connection: ConnectionRecord,
  granted: readonly string[],
): Promise<DecisionResult[]> {
  const { runtime, pauses } = context;
  const { records, keyedHash } = runtime;
  const { principal } = connection.reference;
  const subject = await principalId(keyedHash, principal);
  const results: DecisionResult[] = [];
  const keys: string[] = [];
  for await (const { key } of records.list({ kind: 'task', status: 'paused', subject }))
    keys.push(key);
  for (const key of keys) {
    const task = (await records.get<TaskRecord>(key))?.value;
    const pauseId = task?.pause?.id;
    if (task === undefined || task.subject !== subject || pauseId === undefined) continue;
    const pause = (await pauses.get(pauseId))?.value;
    if (pause === undefined || !waitsFor(pause, task, connection, granted)) continue;
    const word = { decision: 'resume', comment: 'authorized again' } as const;
    results.push(
      await takeWord(context, pauseId, word, async () => {
        return { id: principal.subject, roles: ['user'] };
      }),
    );
  }
  return results;
}

/** Whether a pause waits for this authorization, and the user is one of those who are asked. */
function waitsFor(
  pause: Pause,
  task: TaskRecord,
  { reference, pauseId }: ConnectionRecord,
  granted: readonly string[],
): boolean {
  const { call, reason } = pause;
  if (call === undefined || pause.status !== 'open' || !reauthorizable.has(reason.code))
    return false;
  if (task.account !== (reference.account ?? 'default')) return false;
  const authority = task.authorities.find(({ resource }) => resource === call.resource);
  if (authority?.provider !== reference.provider) return false;
  // What cannot be undone goes on only for who was sent to authorize that very action.
  if (call.effect === 'irreversible' && pauseId !== pause.id) return false;
  const needed = [...call.scopes, ...(reason.requiredScopes ?? [])];
  // A task never gets more than it was started with, whatever the grant now holds.
  if (!needed.every((scope) => granted.includes(scope) && authority.scopes.includes(scope)))
    return false;
  return openRoles(pause).includes('user');
}
