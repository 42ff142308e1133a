import type { AccessTokenSlot, GrantRecord, RefreshAttempt, SlotSpec } from './grant-record.ts';
import type { Secret } from './secret.ts';

/** A token that may still work although another one has taken its place. */
export interface SupersededToken {
  readonly slot: string;
  readonly accessToken: Secret;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** A token that may have been issued, and whose response nobody has. */
export interface StrayToken {
  readonly slot: string;
  /** The attempt that asked for it. */
  readonly attempt: string;
  /** Epoch ms until which it may work. */
  readonly until: number;
}

/** The key of the slot of one delegation. */
export function taskSlotKey(delegationId: string): string {
  return `delegation|${delegationId}`;
}

function isTaskSlot(key: string): boolean {
  return key.startsWith(taskSlotKey(''));
}

/** A task's earlier token goes on working until it expires, and so does one whose response was lost. */
export function supersededBy(
  record: GrantRecord,
  slot: SlotSpec,
  now: number,
): Pick<GrantRecord, 'superseded' | 'strays'> {
  const { superseded = [], strays = [] } = record;
  const earlier = slot.scopes === undefined ? undefined : record.slots[slot.key];
  const replaced = earlier === undefined ? [] : [supersededToken(slot.key, earlier)];
  return {
    ...(superseded.length + replaced.length === 0
      ? {}
      : { superseded: [...superseded, ...replaced].filter(({ expiresAt }) => expiresAt > now) }),
    ...(strays.length === 0 ? {} : { strays: strays.filter(({ until }) => until > now) }),
  };
}

/** What tasks may still have in hand when a grant has died or was replaced: each token of theirs that has not expired. */
export function supersededTokens(record: GrantRecord, now: number): readonly SupersededToken[] {
  const held = Object.entries(record.slots)
    .filter(([key]) => isTaskSlot(key))
    .map(([key, slot]) => supersededToken(key, slot));
  return [...(record.superseded ?? []), ...held].filter(({ expiresAt }) => expiresAt > now);
}

/** What is kept of a token that nothing is handed out of any more. */
export function supersededToken(
  slot: string,
  { accessToken, expiresAt }: Pick<AccessTokenSlot, 'accessToken' | 'expiresAt'>,
): SupersededToken {
  return { slot, accessToken, expiresAt };
}

/** Notes that `attempt` may have had a token issued, where it was for a task: it counts as live until `until`. */
export function withStray<Record extends GrantRecord>(
  record: Record,
  attempt: RefreshAttempt,
  until: number,
): Record {
  if (attempt.slot.scopes === undefined) return record;
  const stray = { slot: attempt.slot.key, attempt: attempt.id, until };
  // The newest lives longest: after thousands of attempts in an outage the others tell nothing more.
  return { ...record, strays: [...(record.strays ?? []), stray].slice(-64) };
}

/** The token of `attempt` has come after all. */
export function withoutStray<Record extends GrantRecord>(record: Record, attempt: string): Record {
  const { strays } = record;
  if (strays === undefined) return record;
  return { ...record, strays: strays.filter((stray) => stray.attempt !== attempt) };
}
