import * as z from 'zod';
import type { ConnectionBinding } from './connection-binding.ts';
import {
  type ConnectionRecord,
  type ConnectionResult,
  connectionKey,
  type DecoupledConnection,
} from './connection-record.ts';
import type { DecoupledRequest, DecoupledStart } from './decoupled-authorization.ts';
import { AuthError, ConfigurationError } from './errors.ts';
import { finishConnection } from './finish-connection.ts';
import type { PauseContext } from './pauses.ts';
import { drawProofKey } from './proof-key.ts';
import { randomId } from './random-id.ts';
import type { Versioned } from './records.ts';
import type { Provider, Runtime } from './runtime.ts';
import { checked } from './validation.ts';

/** A connection that is made elsewhere has no result yet. */
export interface PendingConnection {
  readonly status: 'pending';
  /** Earliest useful time to ask again, ms from now. `maintain()` asks by itself. */
  readonly retryAfterMs: number;
}

/** Begins a connection that the person makes elsewhere. Answers its id and what the issuer said. */
export async function startDecoupledConnection(
  runtime: Runtime,
  provider: Provider,
  request: DecoupledRequest,
  about: ConnectionBinding,
): Promise<{ readonly connectionId: string; readonly started: DecoupledStart }> {
  const { clock, records } = runtime;
  const started = await provider.issuer.startDecoupled(request);
  const connectionId = randomId();
  const now = clock.now();
  const proofKey = provider.bindsTokens ? await drawProofKey() : undefined;
  const record: DecoupledConnection = {
    ...about,
    flow: request.flow,
    code: started.code,
    ...(proofKey === undefined ? {} : { proofKey }),
    intervalMs: started.intervalMs,
    nextPollAt: now + started.intervalMs,
    expiresAt: now + started.expiresInMs,
  };
  const key = await connectionKey(runtime, connectionId);
  await records.swap(key, 0, record, { kind: 'connection', dueAt: record.nextPollAt });
  return { connectionId, started };
}

/**
 * Asks once whether the person has answered, and finishes the connection if so. Any process may ask: one of them does
 * at a time, and not more often than the issuer wants.
 *
 * @throws {AuthError} when the client registration is wrong, or the store cannot be reached.
 * @throws {ConfigurationError} when there is no such connection.
 */
export async function pollConnection(
  context: PauseContext,
  connectionId: string,
): Promise<ConnectionResult | PendingConnection> {
  checked(z.string().min(1), connectionId, 'connect.poll: connectionId');
  return pollKey(context, await connectionKey(context.runtime, connectionId));
}

/** The same for a record that maintenance has found due. */
export async function pollKey(
  context: PauseContext,
  key: string,
): Promise<ConnectionResult | PendingConnection> {
  const { runtime } = context;
  const { records, clock, providers } = runtime;
  for (;;) {
    const found = await records.get<ConnectionRecord>(key);
    if (found === undefined || found.value.flow === 'code')
      throw new ConfigurationError(
        'connect.poll: connectionId: expected the id of a connection by device or backchannel that is not over',
        ['connectionId'],
      );
    const { version, value: connection } = found;
    const { result, code, nextPollAt, intervalMs, flow } = connection;
    if (result !== undefined) return result;
    const now = clock.now();
    if (code === undefined || connection.expiresAt <= now)
      return { status: 'denied', error: 'expired_token' };
    if (now < nextPollAt) return { status: 'pending', retryAfterMs: nextPollAt - now };
    const asking = { ...connection, nextPollAt: now + intervalMs };
    if (!(await records.swap(key, version, asking, indexOf(asking)))) continue;

    const provider = providers.get(connection.reference.provider);
    if (provider === undefined)
      throw new AuthError('misconfigured', { reason: 'the provider is not configured any more' });
    const issuedAt = Math.floor(now);
    const outcome = await provider.issuer.pollDecoupled(flow, code, connection.proofKey);
    const current = { version: version + 1, value: asking };
    switch (outcome.outcome) {
      case 'pending': {
        const slower = outcome.slowDown ? intervalMs + slowDownMs : intervalMs;
        if (outcome.slowDown)
          await write(runtime, key, current, { intervalMs: slower, nextPollAt: now + slower });
        return { status: 'pending', retryAfterMs: slower };
      }
      case 'granted':
        return finished(
          runtime,
          key,
          current,
          await finishConnection(context, connection, outcome.tokens, issuedAt),
        );
      case 'rejected':
        return finished(runtime, key, current, { status: 'denied', error: outcome.error });
      default:
        if (outcome.kind === 'misconfigured')
          throw new AuthError('misconfigured', { reason: outcome.error, cause: outcome.cause });
        return {
          status: 'pending',
          retryAfterMs:
            ('retryAfterMs' in outcome ? outcome.retryAfterMs : undefined) ?? intervalMs,
        };
    }
  }
}

/** RFC 8628 section 3.5. */
const slowDownMs = 5000;

type Read = Pick<Versioned<DecoupledConnection>, 'version' | 'value'>;

async function finished(
  runtime: Runtime,
  key: string,
  current: Read,
  result: ConnectionResult,
): Promise<ConnectionResult> {
  const { code: _used, ...value } = current.value;
  await write(runtime, key, { ...current, value }, { result });
  return result;
}

/** Only who asks writes: nobody else asks before the interval is over. */
async function write(
  runtime: Runtime,
  key: string,
  { version, value }: Read,
  change: Partial<DecoupledConnection>,
): Promise<void> {
  const next = { ...value, ...change };
  await runtime.records.swap(key, version, next, indexOf(next));
}

function indexOf({ result, nextPollAt, expiresAt }: DecoupledConnection): {
  readonly kind: 'connection';
  readonly dueAt: number;
} {
  // The app may ask for the result until the end; then it is forgotten.
  return { kind: 'connection', dueAt: result === undefined ? nextPollAt : expiresAt };
}
