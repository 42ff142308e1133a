import { sleep } from './clock.ts';
import { AuthError } from './errors.ts';
import {
  type AccessTokenSlot,
  canAdoptLate,
  dead,
  deferred,
  expectedTokenType,
  type GrantRecord,
  settled,
  withoutStray,
  withStray,
} from './grant-record.ts';
import type { TokenOutcome } from './issuer.ts';
import { eraseFromJournal } from './journaling.ts';
import type { Versioned } from './records.ts';
import type { Claim, RotationContext, SentOutcome } from './rotation-context.ts';

/** No issuer keeps a grant waiting for longer, whatever it, or a proxy before it, asks for. */
const longestRetryAfterMs = 3_600_000;

/** Swaps, and after an error re-reads: finding one's own attempt means that the swap landed. */
export async function swapAttempt(
  context: RotationContext,
  expectedVersion: number,
  record: GrantRecord,
  attemptId: string,
): Promise<boolean> {
  try {
    return await context.records.swap(context.key, expectedVersion, record, context.index(record));
  } catch (cause) {
    const found = await context.records.get<GrantRecord>(context.key).catch((error: unknown) => {
      throw new AuthError('store_unavailable', { cause: error });
    });
    const state = found?.value.state;
    if (state !== undefined && 'attempt' in state && state.attempt?.id === attemptId) return true;
    throw new AuthError('store_unavailable', { cause });
  }
}

/** Writes what became of the presentation. Answers the new slot if there is one. */
export async function settle(
  context: RotationContext,
  claim: Claim,
  sent: SentOutcome,
): Promise<AccessTokenSlot | undefined> {
  try {
    return await write(context, claim, sent);
  } finally {
    context.unstored.delete(claim.attempt.id);
  }
}

async function write(
  context: RotationContext,
  claim: Claim,
  sent: SentOutcome,
): Promise<AccessTokenSlot | undefined> {
  const { outcome } = sent;
  const { attempt } = claim;
  switch (outcome.outcome) {
    case 'granted': {
      const timing = {
        now: context.clock.now(),
        issuedAt: sent.issuedAt,
        defaultLifetimeMs: context.times.defaultLifetimeMs,
        jitter: context.random(),
      };
      const alone = context.profile.accessTokenAfterRotation === 'revoked';
      const { tokenType, proofKey = claim.record.proofKey } = outcome.tokens;
      const presentable = tokenType === expectedTokenType(proofKey);
      const next = (record: GrantRecord): GrantRecord => {
        const base = withoutStray(alone ? { ...record, slots: {} } : record, attempt.id);
        const moved = settled(base, attempt.slot, outcome.tokens, timing);
        // The pair is good and kept, but the token is none to hand out: asking again soon would bring the same.
        return presentable ? moved : deferred(moved, { ...unusableType(context), now: timing.now });
      };
      const stored = await persist(context, claim, next, { late: true });
      if (stored === undefined) {
        await context.orphaned?.(attempt, outcome.tokens, sent.issuedAt);
        return undefined;
      }
      await eraseFromJournal(context, attempt.id);
      context.audit({
        type: 'token-refreshed',
        attempt: attempt.id,
        generation: stored.generation,
        ...(outcome.salvaged === undefined ? {} : { reason: `salvaged: ${outcome.salvaged}` }),
      });
      if (presentable) return stored.slots[attempt.slot.key];
      throw new AuthError('misconfigured', {
        reason: 'token_type',
        detail: `expected "${expectedTokenType(proofKey)}"; the issuer sent "${tokenType}"`,
      });
    }
    case 'notSent':
      await defer(context, claim, outcome.kind, outcome.error, outcome.retryAfterMs);
      if (outcome.kind === 'misconfigured')
        throw new AuthError('misconfigured', { reason: outcome.error, cause: outcome.cause });
      return undefined;
    case 'refused':
      await spareWhoWasStopped(context, claim, outcome.error);
      await defer(
        context,
        outcome.issued === true ? lost(context, claim) : claim,
        outcome.kind,
        outcome.error,
        context.times.backoffMs[1],
      );
      throw new AuthError(outcome.kind, { reason: outcome.error, cause: outcome.cause });
    case 'rejected':
      await spareWhoWasStopped(context, claim, outcome.error);
      await die(context, claim, outcome);
      return undefined;
    case 'unknown':
      return doubt(context, claim, outcome);
  }
}

/**
 * Many issuers answer `invalid_grant` for a person they have stopped and keep the grant. The gate's answer from
 * before the request may be too old to know: asked again now, it tells a stopped person from a dead grant.
 */
async function spareWhoWasStopped(
  context: RotationContext,
  claim: Claim,
  error: string,
): Promise<void> {
  const { state, source } = await context.gate('response', { afresh: true });
  if (state === 'active') return;
  await defer(context, claim, 'user_state', error, undefined);
  throw new AuthError('user_state', { reason: state, detail: `${source} says ${state}` });
}

async function die(
  context: RotationContext,
  claim: Claim,
  outcome: TokenOutcome & { outcome: 'rejected' },
): Promise<void> {
  const death =
    outcome.error === 'refresh_token_missing'
      ? 'refresh_token_missing'
      : outcome.kind === 'step_up_required'
        ? 'step_up_required'
        : 'rejected';
  const now = context.clock.now();
  if (await persist(context, claim, (record) => dead(record, death, outcome.error, now)))
    context.audit({ type: 'grant-died', attempt: claim.attempt.id, reason: outcome.error });
}

/** Nobody can tell whether the token was used. The record stays claimed until recovery has found out. */
async function doubt(
  context: RotationContext,
  claim: Claim,
  outcome: TokenOutcome & { outcome: 'unknown' },
): Promise<undefined> {
  const { record, attempt } = claim;
  context.audit({ type: 'refresh-in-doubt', attempt: attempt.id, reason: outcome.error });
  if (record.kind !== 'rotating') {
    // Nothing was consumed: it is simply asked for again. But what was issued may work until it expires.
    await defer(context, lost(context, claim), 'transient', outcome.error, outcome.retryAfterMs);
    return undefined;
  }
  if (outcome.kind !== 'bad_request' || record.refreshToken === undefined) return undefined;
  // The issuer answered, and would answer the same again; the only question is whether it used the token first.
  const { profile } = context;
  const probed = profile.probe ? await context.issuer.probe(record.refreshToken) : 'unknown';
  if (probed === 'inactive') {
    const now = context.clock.now();
    await persist(context, claim, (current) =>
      dead(current, 'rotated_pair_lost', outcome.error, now),
    );
    context.audit({ type: 'grant-died', attempt: attempt.id, reason: outcome.error });
    return undefined;
  }
  // The same answer to a second presentation tells, too: of a used token the issuer would say `invalid_grant`.
  const unused = probed === 'active' || profile.rotation === 'none' || attempt.presentedAgain;
  if (unused)
    await defer(context, claim, 'issuer_refused', outcome.error, context.times.backoffMs[1]);
  throw new AuthError('issuer_refused', { reason: outcome.error, cause: outcome.cause });
}

/** A claim whose token may be out there, in nobody's hands. */
function lost(context: RotationContext, claim: Claim): Claim {
  return { ...claim, record: withStray(claim.record, claim.attempt, strayUntil(context)) };
}

/** Epoch ms until which a token may work whose response is lost: the request may still be on its way. */
export function strayUntil({ clock, times, profile }: RotationContext): number {
  return clock.now() + times.settleMs + profile.longestAccessTokenMs;
}

/** Back to idle with the same pair: certainly not used. */
export async function defer(
  context: RotationContext,
  claim: Claim,
  kind: string,
  error: string,
  retryAfterMs: number | undefined,
): Promise<void> {
  const { failures } = claim.attempt;
  const [first, longest] = context.times.backoffMs;
  const backoffMs = Math.min(longest, first * 2 ** failures) * (0.5 + context.random() / 2);
  const now = context.clock.now();
  await persist(context, claim, (record) =>
    deferred(record, {
      now,
      retryAfterMs: Math.min(retryAfterMs ?? backoffMs, longestRetryAfterMs),
      failures: failures + 1,
      kind,
      error,
    }),
  );
  context.audit({
    type: 'refresh-deferred',
    attempt: claim.attempt.id,
    code: kind,
    reason: error,
  });
}

/**
 * Writes the result of a claim and does not give up while the store is down: a rotated pair is held until it is
 * stored. Answers the stored record, or `undefined` when others have moved the record on meanwhile. Only a pair
 * (`late`) may still be written over somebody's recovery of this very attempt: it is what they are looking for.
 */
export async function persist(
  context: RotationContext,
  claim: Claim,
  next: (record: GrantRecord) => GrantRecord,
  options: { readonly late?: boolean } = {},
): Promise<GrantRecord | undefined> {
  let { version, record } = claim;
  for (let delayMs = 20; ; delayMs = Math.min(delayMs * 2, 1000)) {
    const result = next(record);
    try {
      if (await context.records.swap(context.key, version, result, context.index(result)))
        return result;
      delayMs = 20;
    } catch {
      // Unknown whether it landed: wait, then look.
      await sleep(context.clock, delayMs);
    }
    let found: Versioned<GrantRecord> | undefined;
    try {
      found = await context.records.get<GrantRecord>(context.key);
    } catch {
      continue;
    }
    if (found === undefined) return undefined;
    if (isSameResult(found.value, result)) return found.value;
    if (found.version === version) continue;
    if (options.late !== true || !canAdoptLate(found.value, claim.attempt)) {
      context.audit({
        type: 'refresh-abandoned',
        attempt: claim.attempt.id,
        reason: 'another process has settled this attempt',
      });
      return undefined;
    }
    version = found.version;
    record = found.value;
  }
}

function isSameResult(found: GrantRecord, result: GrantRecord): boolean {
  return (
    found.generation === result.generation &&
    found.state.status === result.state.status &&
    found.refreshToken?.reveal() === result.refreshToken?.reveal() &&
    (found.state.status === 'idle' || found.state.status === 'dead')
  );
}

function unusableType(context: RotationContext): {
  retryAfterMs: number;
  failures: number;
  kind: string;
  error: string;
} {
  return {
    retryAfterMs: context.times.backoffMs[1],
    failures: 1,
    kind: 'misconfigured',
    error: 'token_type',
  };
}
