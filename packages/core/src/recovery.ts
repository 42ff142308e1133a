import { vanished } from './grant-death.ts';
import {
  dead,
  type GrantRecord,
  type RefreshAttempt,
  recovering,
  withStray,
} from './grant-record.ts';
import { eraseFromJournal, findInJournal } from './journaling.ts';
import { randomId } from './random-id.ts';
import type { Versioned } from './records.ts';
import { allow, present, withholdUnlessAllowed } from './rotation.ts';
import type { Claim, RotationContext } from './rotation-context.ts';
import { persist, settle, strayUntil, swapAttempt } from './settlement.ts';

/**
 * Settles an attempt whose owner vanished or whose outcome is unknown. The caller has seen it unchanged for the
 * whole wait on its own clock.
 *
 * The first rule that applies decides: the journal has the response → adopt it; the issuer does not rotate →
 * present again; a probe tells; the issuer forgives a second presentation → present again; else the policy.
 *
 * @throws {AuthError} when a presentation says that nothing can be waited for.
 */
export async function recover(
  context: RotationContext,
  current: Versioned<GrantRecord>,
): Promise<void> {
  const { state } = current.value;
  if (state.status !== 'refreshing' && state.status !== 'recovering') return;
  const claim = await claimRecovery(context, current, state.attempt);
  if (claim === undefined) return;
  // What its own process wrote to the audit log may have died with it.
  context.audit(vanished(state.attempt, current.value.generation));
  if (await adoptFromJournal(context, claim)) return;
  const plan = await decide(context, claim);
  if (plan.verdict === 'dead') return bury(context, claim, plan.death, plan.reason);
  return presentAgain(context, claim, plan);
}

async function claimRecovery(
  context: RotationContext,
  current: Versioned<GrantRecord>,
  lost: RefreshAttempt,
): Promise<Claim | undefined> {
  const { clock, journal } = context;
  const { journalHost: _theirs, ...inherited } = lost;
  const attempt: RefreshAttempt = {
    ...inherited,
    id: randomId(),
    owner: context.process,
    ...(journal === undefined ? {} : { journalHost: journal.host }),
    startedAt: clock.now(),
    previous: lineage(lost),
    lost: { id: lost.id, owner: lost.owner },
  };
  const claimedAtMs = clock.monotonicMs();
  const lostToo = withStray(current.value, lost, strayUntil(context));
  const record = recovering(lostToo, attempt);
  if (!(await swapAttempt(context, current.version, record, attempt.id))) return undefined;
  return { version: current.version + 1, record, attempt, claimedAtMs };
}

/** The attempts before the next one; the last of them only, since an outage may last for thousands. */
function lineage({ previous, id }: RefreshAttempt): string[] {
  return [...previous, id].slice(-64);
}

/** Rule a: a process on this disk received the response and died before it could store the pair. */
async function adoptFromJournal(context: RotationContext, claim: Claim): Promise<boolean> {
  const { clock } = context;
  const found = await findInJournal(context, claim.attempt.previous);
  if (found === undefined) return false;
  const adopted = await settle(context, claim, {
    outcome: { outcome: 'granted', tokens: found.tokens },
    issuedAt: claim.attempt.firstStartedAt,
  });
  if (adopted === undefined) return false;
  await eraseFromJournal(context, found.attempt);
  context.audit({
    type: 'refresh-recovered',
    attempt: claim.attempt.id,
    reason: `the journal of attempt ${found.attempt} holds the response; age ${clock.now() - claim.attempt.firstStartedAt} ms`,
  });
  await withholdUnlessAllowed(context, claim);
  return true;
}

type Plan =
  /** `unused`: it is known that the token was not used; else there is still a doubt. */
  | { readonly verdict: 'presentAgain'; readonly reason: string; readonly unused: boolean }
  | {
      readonly verdict: 'dead';
      readonly death: 'rotated_pair_lost' | 'in_doubt';
      readonly reason: string;
    };

/** Rules b to f. */
async function decide(context: RotationContext, claim: Claim): Promise<Plan> {
  const { profile, issuer, clock } = context;
  const { record, attempt } = claim;
  const again = (reason: string, unused = false): Plan => ({
    verdict: 'presentAgain',
    reason,
    unused,
  });

  if (record.kind !== 'rotating' || profile.rotation === 'none')
    return again('nothing was consumed: the issuer does not rotate', true);

  const probed =
    profile.probe && record.refreshToken !== undefined
      ? await issuer.probe(record.refreshToken)
      : 'unknown';
  if (probed === 'active') return again('introspection says that the token was not used', true);
  if (probed === 'inactive' && profile.rotation === 'strict')
    return {
      verdict: 'dead',
      death: 'rotated_pair_lost',
      reason: 'introspection says that the token was used, and its successor is lost',
    };

  if (profile.rotation === 'untilChildUsed')
    return again('the token stays valid until its child is used');

  const safeMs = profile.leewayMs - 2000;
  if (profile.rotation === 'leeway' && clock.now() - attempt.firstStartedAt < safeMs)
    return again('within the leeway of the issuer');

  if (profile.whenInDoubt === 'presentOnce' && !attempt.presentedAgain)
    return again('policy presentOnce: nothing left to lose');
  return {
    verdict: 'dead',
    death: 'in_doubt',
    reason: attempt.presentedAgain ? 'in doubt for the second time' : 'policy reauthorize',
  };
}

/** Asks the gate, records the second presentation before it happens, then presents. */
async function presentAgain(
  context: RotationContext,
  claim: Claim,
  plan: Plan & { verdict: 'presentAgain' },
): Promise<void> {
  await allow(context, 'claim');
  const attempt: RefreshAttempt = {
    ...claim.attempt,
    id: randomId(),
    previous: lineage(claim.attempt),
    startedAt: context.clock.now(),
    presentedAgain: true,
  };
  const claimedAtMs = context.clock.monotonicMs();
  const record = recovering(claim.record, attempt);
  if (!(await swapAttempt(context, claim.version, record, attempt.id))) return;
  const again: Claim = { version: claim.version + 1, record, attempt, claimedAtMs };
  const sent = await present(context, again);
  if (sent.outcome.outcome === 'notSent' && !plan.unused)
    return stayInDoubt(context, again, sent.outcome.error);
  const recovered = await settle(context, again, sent);
  if (recovered === undefined) return;
  context.audit({ type: 'refresh-recovered', attempt: attempt.id, reason: plan.reason });
  await withholdUnlessAllowed(context, again);
}

/** The second presentation never took place, so the doubt about the first is as it was: not idle, and not given up. */
async function stayInDoubt(context: RotationContext, claim: Claim, error: string): Promise<void> {
  const attempt: RefreshAttempt = { ...claim.attempt, presentedAgain: false };
  await persist(context, claim, (record) => recovering(record, attempt));
  context.audit({ type: 'refresh-deferred', attempt: attempt.id, reason: error });
}

async function bury(
  context: RotationContext,
  claim: Claim,
  death: 'rotated_pair_lost' | 'in_doubt',
  reason: string,
): Promise<void> {
  const now = context.clock.now();
  const stored = await persist(context, claim, (record) => dead(record, death, reason, now));
  if (stored !== undefined)
    context.audit({ type: 'grant-died', attempt: claim.attempt.id, code: death, reason });
}
