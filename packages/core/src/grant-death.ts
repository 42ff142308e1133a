import type { GrantRecord, GrantState } from './grant-record.ts';
import type { RotationContext, RotationEvent } from './rotation-context.ts';
import type { Runtime } from './runtime.ts';

type DeadState = GrantState & { readonly status: 'dead' };

/** What is said of an attempt whose process has not settled it. */
export function vanished(
  attempt: { readonly id: string; readonly owner: string },
  generation: number,
): RotationEvent {
  return {
    type: 'refresh-in-doubt',
    attempt: attempt.id,
    generation,
    reason: `process ${attempt.owner} claimed it and did not settle it`,
  };
}

/** Whoever ended the grant has this long to say so itself, ms. */
const patienceMs = 5000;

/**
 * Puts into the audit log what a dead grant died of, should the process that ended it have died before its entries
 * were stored. The record is the truth; the log must tell it.
 */
export async function tellDeath(context: RotationContext, record: GrantRecord): Promise<boolean> {
  const { state } = record;
  if (state.status !== 'dead') return false;
  const { attempt } = state;
  const own = attempt === undefined || attempt.owner === context.process;
  if (own || context.clock.now() - state.at < patienceMs) return false;
  const told = await context.recentEvents();
  const isTold = (event: RotationEvent): boolean =>
    told.some(({ type, attempt: of }) => type === event.type && of === event.attempt);
  for (const event of deathEvents(record, state)) if (!isTold(event)) context.audit(event);
  return true;
}

/** The same, for whoever reads a grant without wanting a token of it. */
export async function tellDeathOf(
  { grants }: Pick<Runtime, 'grants'>,
  key: string,
  record: GrantRecord | undefined,
): Promise<void> {
  if (record?.state.status === 'dead')
    await tellDeath(await grants.rotationOf(key, record), record);
}

function deathEvents(record: GrantRecord, state: DeadState): RotationEvent[] {
  const { death, error, attempt } = state;
  if (attempt === undefined) return [];
  const { lost } = attempt;
  return [
    ...(lost === undefined ? [] : [vanished(lost, record.generation)]),
    { type: 'grant-died', attempt: attempt.id, code: death, reason: error },
  ];
}
