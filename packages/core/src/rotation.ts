import type { GateMoment } from './gate.ts';
import {
  type AccessTokenSlot,
  claimed,
  type GrantRecord,
  type RefreshAttempt,
  type SlotSpec,
} from './grant-record.ts';
import { keepInJournal } from './journaling.ts';
import { drawProofKey } from './proof-key.ts';
import { fingerprintOf, randomId } from './random-id.ts';
import type { Versioned } from './records.ts';
import type { Claim, RotationContext, SentOutcome } from './rotation-context.ts';
import { settle, swapAttempt } from './settlement.ts';
import { denialOf } from './verdict.ts';

/**
 * Rotates a grant once, for one slot: gate → claim → present → settle → gate.
 *
 * Fences the presentation, not the write: whoever presents the refresh token has claimed it in the record first,
 * and a claim never lapses to free, only to in doubt.
 *
 * Answers the new slot, `lost` when another process claimed first, or `unsettled` when the record says what now.
 *
 * @throws {AuthError} when there is nothing to wait for.
 */
export async function rotate(
  context: RotationContext,
  current: Versioned<GrantRecord>,
  slot: SlotSpec,
): Promise<AccessTokenSlot | 'lost' | 'unsettled'> {
  await allow(context, 'claim');
  const claim = await claimPresentation(context, current, slot);
  if (claim === undefined) return 'lost';
  const outcome = await present(context, claim);
  const fresh = await settle(context, claim, outcome);
  if (fresh === undefined) return 'unsettled';
  await withholdUnlessAllowed(context, claim);
  return fresh;
}

/** Before the token is presented: the person must be active, as of now. */
export async function allow(context: RotationContext, moment: GateMoment): Promise<void> {
  const verdict = await context.gate(moment);
  if (verdict.state !== 'active') throw denialOf(verdict);
}

/** The claim: a compare-and-swap from idle to refreshing, written ahead of the request. */
async function claimPresentation(
  context: RotationContext,
  current: Versioned<GrantRecord>,
  slot: SlotSpec,
): Promise<Claim | undefined> {
  const { clock, journal } = context;
  const now = clock.now();
  const claimedAtMs = clock.monotonicMs();
  const attempt: RefreshAttempt = {
    id: randomId(),
    owner: context.process,
    ...(journal === undefined ? {} : { journalHost: journal.host }),
    slot,
    startedAt: now,
    firstStartedAt: now,
    fingerprint: fingerprintOf(current.value.refreshToken),
    previous: [],
    presentedAgain: false,
    failures: current.value.state.status === 'idle' ? (current.value.state.failures ?? 0) : 0,
  };
  const { proofKey } = current.value;
  const drawn = context.bindsTokens && proofKey === undefined ? await drawProofKey() : undefined;
  const record = claimed(current.value, attempt, drawn);
  if (!(await swapAttempt(context, current.version, record, attempt.id))) return undefined;
  context.audit({ type: 'refresh-claimed', attempt: attempt.id, generation: record.generation });
  return { version: current.version + 1, record, attempt, claimedAtMs };
}

/** The one presentation, detached from every caller, with the raw response journaled before anything validates it. */
export async function present(context: RotationContext, claim: Claim): Promise<SentOutcome> {
  const { clock, times, issuer } = context;
  const { record, attempt } = claim;
  let issuedAt = clock.now();
  const beforeSend = (): void => {
    issuedAt = clock.now();
    const ages = [issuedAt - attempt.startedAt, clock.monotonicMs() - claim.claimedAtMs];
    if (ages.some((age) => age > times.sendByMs))
      throw new AbandonedClaim(`the claim is ${Math.max(...ages)} ms old`);
  };
  const { scopes, resource } = attempt.slot;
  const narrowing = {
    proofKey: record.proofKey,
    ...(scopes === undefined ? {} : { scopes }),
    ...(resource === undefined ? {} : { resource }),
  };
  if (context.exchange !== undefined) {
    const outcome = await context.exchange({ proofKey: record.proofKey, beforeSend });
    return { outcome, issuedAt };
  }
  if (record.kind === 'clientCredentials') {
    const outcome = await issuer.clientCredentials(narrowing);
    return { outcome, issuedAt };
  }
  if (record.refreshToken === undefined)
    return {
      outcome: {
        outcome: 'rejected',
        kind: 'reauthorization_required',
        error: 'refresh_token_missing',
      },
      issuedAt,
    };
  const outcome = await issuer.refresh({
    refreshToken: record.refreshToken,
    ...narrowing,
    beforeSend,
    onResponse(body) {
      context.unstored.add(attempt.id);
      return keepInJournal(context, attempt.id, body);
    },
  });
  return { outcome, issuedAt };
}

/** Thrown by `beforeSend`: too late to present. */
class AbandonedClaim extends Error {
  override readonly name = 'AbandonedClaim';
}

/** After the response: the pair is kept, but not handed out if the person's state changed meanwhile. */
export async function withholdUnlessAllowed(context: RotationContext, claim: Claim): Promise<void> {
  try {
    await allow(context, 'response');
  } catch (error) {
    context.audit({ type: 'token-withheld', attempt: claim.attempt.id });
    throw error;
  }
}
