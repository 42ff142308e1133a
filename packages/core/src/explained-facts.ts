import type { AuditEntry } from './audit-chain.ts';
import type { AuditEventType } from './audit-event.ts';
import type { CallOutcome } from './call-record.ts';

/** What a task was given at one resource, and how that stands. */
export interface ExplainedAuthority {
  readonly delegationId?: string;
  readonly provider?: string;
  readonly resource?: string;
  readonly scopes: readonly string[];
  /** Keyed hash that names the grant it comes from. */
  readonly grant?: string;
  /**
   * `live` while the task may use it; `lapsing` when nothing is handed out any more and a token that could not be
   * revoked alone works until it expires; `revoked`; `revocation failed` when it is tried again.
   */
  readonly state: 'live' | 'lapsing' | 'revoked' | 'revocation failed';
  /** How the grant behind it stands; its newest token pair. */
  readonly grantState: 'alive' | 'in doubt' | 'dead' | 'unknown';
  readonly generation?: number;
}

/** One call in somebody's name, from its first entry to its last. */
export interface ExplainedCall {
  /** The agent loop it belongs to: within one, tool call ids are unique. */
  readonly runId?: string;
  readonly toolCallId: string;
  readonly toolName?: string;
  readonly resource?: string;
  readonly scopes: readonly string[];
  readonly effect?: string;
  /** `under way`: it was begun, and no end of it is recorded (yet). */
  readonly outcome: CallOutcome | 'under way';
  /** How often it was begun. */
  readonly attempts: number;
  /** Epoch ms of its first and of its last entry. */
  readonly from: number;
  readonly to: number;
  /** Why it was refused, or nobody can tell. */
  readonly code?: string;
  /** Who said that it has happened, where nobody saw it. */
  readonly saidBy?: string;
}

/** One word of a person. */
export interface ExplainedDecision {
  readonly pauseId?: string;
  readonly by: string;
  readonly decision: string;
  /** The role it was given in, or why it was not accepted. */
  readonly reason?: string;
  readonly accepted: boolean;
  /** Epoch ms. */
  readonly at: number;
}

/** The answers that a task's log gives. */
export interface ExplainedFacts {
  /** The acting client. */
  readonly agent?: string;
  /** Keyed hash of the person it acted for. */
  readonly principal?: string;
  /** What the gate last said of that person; absent while it said nothing but active. */
  readonly personState?: string;
  readonly authorities: readonly ExplainedAuthority[];
  readonly calls: readonly ExplainedCall[];
  readonly decisions: readonly ExplainedDecision[];
}

/**
 * Who acted, for whom, under which authority, what was done, refused, or is unknown: from the entries alone, in their
 * order. Needs neither store nor keys, so that an auditor can do it with an exported log.
 */
export function factsOf(entries: readonly AuditEntry[], taskId: string): ExplainedFacts {
  const own = entries.filter((entry) => entry.taskId === taskId);
  const agent = own.find((entry) => entry.agent !== undefined)?.agent;
  const principal = own.find((entry) => entry.principal !== undefined)?.principal;
  const personState = entries.findLast(
    (entry) => entry.type === 'user-state-changed' && entry.principal === principal,
  )?.outcome;
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(principal === undefined ? {} : { principal }),
    ...(personState === undefined ? {} : { personState }),
    authorities: authoritiesOf(own, entries),
    calls: callsOf(own),
    decisions: own.flatMap(decisionOf),
  };
}

function authoritiesOf(
  own: readonly AuditEntry[],
  entries: readonly AuditEntry[],
): ExplainedAuthority[] {
  const minted = new Map<string, AuditEntry>();
  for (const entry of own)
    if (entry.type === 'delegation-minted')
      minted.set(entry.delegationId ?? `${entry.resource} ${entry.grant}`, entry);
  return [...minted.values()].map((entry) => {
    const { delegationId, provider, resource, scopes = [], grant } = entry;
    const last = own.findLast(
      (later) =>
        later.delegationId === delegationId &&
        delegationId !== undefined &&
        aboutAuthority.has(later.type),
    );
    return {
      ...(delegationId === undefined ? {} : { delegationId }),
      ...(provider === undefined ? {} : { provider }),
      ...(resource === undefined ? {} : { resource }),
      scopes,
      ...(grant === undefined ? {} : { grant }),
      state: stateAfter(last),
      ...grantFacts(entries, grant),
    };
  });
}

/** What changes whether a delegation can be used. */
const aboutAuthority: ReadonlySet<AuditEventType> = new Set([
  'token-exchanged',
  'delegation-withdrawn',
  'delegation-revoked',
  'delegation-revocation-failed',
]);

function stateAfter(last: AuditEntry | undefined): ExplainedAuthority['state'] {
  if (last === undefined || last.type === 'token-exchanged') return 'live';
  if (last.type === 'delegation-revocation-failed') return 'revocation failed';
  return last.outcome === 'lapsing' ? 'lapsing' : 'revoked';
}

function grantFacts(
  entries: readonly AuditEntry[],
  grant: string | undefined,
): Pick<ExplainedAuthority, 'grantState' | 'generation'> {
  let grantState: ExplainedAuthority['grantState'] = 'unknown';
  let generation: number | undefined;
  for (const entry of entries) {
    if (grant === undefined || entry.grant !== grant) continue;
    generation = isArrival(entry) ? (entry.generation ?? generation) : generation;
    if (entry.type === 'grant-died') grantState = 'dead';
    else if (entry.type === 'refresh-in-doubt') grantState = 'in doubt';
    else if (isArrival(entry) || entry.type === 'delegation-minted') grantState = 'alive';
  }
  return { grantState, ...(generation === undefined ? {} : { generation }) };
}

/** Whether a new token pair has come. */
function isArrival({ type }: AuditEntry): boolean {
  return (
    type === 'token-refreshed' ||
    type === 'refresh-recovered' ||
    type === 'grant-imported' ||
    type === 'grant-connected'
  );
}

function callsOf(own: readonly AuditEntry[]): ExplainedCall[] {
  const calls = new Map<string, ExplainedCall>();
  for (const entry of own) {
    const { runId, toolCallId, type, at } = entry;
    if (toolCallId === undefined || !type.startsWith('tool-call-')) continue;
    const place = `${runId ?? ''} ${toolCallId}`;
    const known = calls.get(place);
    const begins = type === 'tool-call-started';
    const { toolName, resource, effect, scopes, code } = entry;
    calls.set(place, {
      ...(runId === undefined ? {} : { runId }),
      toolCallId,
      ...(toolName === undefined ? {} : { toolName }),
      ...(resource === undefined ? {} : { resource }),
      ...(effect === undefined ? {} : { effect }),
      scopes: scopes ?? known?.scopes ?? [],
      outcome: begins ? 'under way' : outcomeOf(entry),
      attempts: (known?.attempts ?? 0) + (begins || known === undefined ? 1 : 0),
      from: known?.from ?? at,
      to: at,
      ...(code === undefined ? {} : { code }),
      ...(entry.by === undefined ? {} : { saidBy: entry.by }),
    });
  }
  return [...calls.values()];
}

function outcomeOf({ outcome }: AuditEntry): ExplainedCall['outcome'] {
  return outcome === 'done' || outcome === 'refused' ? outcome : 'unknown';
}

function decisionOf(entry: AuditEntry): ExplainedDecision[] {
  const { type, pauseId, by = 'unknown', outcome, reason, at } = entry;
  if (type !== 'decision-made' && type !== 'decision-refused') return [];
  return [
    {
      ...(pauseId === undefined ? {} : { pauseId }),
      by,
      decision: outcome ?? 'none',
      ...(reason === undefined ? {} : { reason }),
      accepted: type === 'decision-made',
      at,
    },
  ];
}
