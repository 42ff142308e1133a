import type { Clock } from './clock.ts';
import { AuthError } from './errors.ts';
import { type AccessTokenSlot, accessTokenSlot, freshness } from './grant-record.ts';
import type { Issuer, TypedToken } from './issuer.ts';
import { Secret } from './secret.ts';
import { accessTokenType } from './token-types.ts';

/** For which task a token that names the actor is wanted. */
export interface ActorRequest {
  readonly agent: string;
  readonly taskId: string;
}

/** How an app names the actor itself: e.g. by the workload identity of the agent. */
export type ActorTokenSource = (request: ActorRequest) => ActorToken | Promise<ActorToken>;

/** A token that names an actor, and its type (RFC 8693 section 3). */
export interface ActorToken {
  readonly token: string | Secret;
  /** E.g. `urn:ietf:params:oauth:token-type:jwt`. */
  readonly type: string;
}

/** Gets the token that names who acts, where the issuer does not take the client itself for the actor. */
export type ActorTokens = (request: ActorRequest) => Promise<TypedToken>;

/** The client as the actor, by a token of its own (RFC 6749 section 4.4) that this process keeps while it is fresh. */
export function clientAsActor(parts: {
  readonly issuer: Issuer;
  readonly clock: Clock;
  readonly defaultLifetimeMs: number;
}): ActorTokens {
  const { issuer, clock, defaultLifetimeMs } = parts;
  let held: AccessTokenSlot | undefined;

  return async () => {
    const now = clock.now();
    if (held === undefined || freshness(held, now) !== 'fresh') {
      const outcome = await issuer.clientCredentials({});
      if (outcome.outcome !== 'granted') throw refused(outcome);
      const timing = { now, issuedAt: now, defaultLifetimeMs, jitter: 0 };
      held = accessTokenSlot(outcome.tokens, 0, undefined, timing);
    }
    return { token: held.accessToken, type: accessTokenType };
  };
}

/** The actor as the app names it. */
export function actorOfTheApp(source: ActorTokenSource): ActorTokens {
  return async (request) => {
    try {
      const { token, type } = await source(request);
      return { token: typeof token === 'string' ? new Secret(token) : token, type };
    } catch (cause) {
      throw new AuthError('misconfigured', { reason: 'actor_token', cause });
    }
  };
}

function refused({ kind, error, cause }: { kind: string; error: string; cause?: unknown }) {
  const passes = kind === 'transient' || kind === 'rate_limited';
  const code = passes ? 'issuer_unavailable' : 'misconfigured';
  return new AuthError(code, { reason: error, detail: 'no token for the actor', cause });
}
