import type { AuditEntry } from './audit-chain.ts';
import type { AuditEventType } from './audit-event.ts';

/** Who or what an entry is about, as the column of a timeline. */
export function areaOf({ type }: AuditEntry): string {
  if (type.startsWith('task-')) return 'task';
  if (type.startsWith('tool-call-')) return 'call';
  if (/^(user|signal)-/.test(type)) return 'person';
  if (type.startsWith('hold-')) return 'source';
  if (type.startsWith('switch-')) return 'switch';
  if (/^(delegation-|exchange-|token-exchanged)/.test(type)) return 'delegation';
  if (/^(decision|pause|escalation)-/.test(type)) return 'pause';
  return 'grant';
}

/** What happened, in plain words, on one line. `taskId` is whose timeline it is: another task's deeds say so. */
export function sentenceOf(entry: AuditEntry, taskId: string): string {
  // A newer version of this package may have written a type that this one has no words for.
  const words = Object.hasOwn(sentences, entry.type) ? sentences[entry.type](entry) : entry.type;
  const elsewhere =
    entry.taskId === undefined || entry.taskId === taskId ? '' : `, for task ${entry.taskId}`;
  return `${words}${elsewhere}`.replaceAll(/\s+/g, ' ');
}

const sentences: Record<AuditEventType, (entry: AuditEntry) => string> = {
  'task-started': (entry) => `started${details(wanted(entry))}`,
  'task-paused': (entry) =>
    `paused${whileCalling(entry)}: ${why(entry)}${details(given('asks: ', entry.outcome))}`,
  'task-resumed': (entry) => `resumed${by(entry)}`,
  'task-completed': () => 'completed',
  'task-cancelled': (entry) => `cancelled${by(entry)}${because(entry)}`,
  'task-failed': (entry) => `failed${because(entry)}`,
  'task-expired': (entry) => `expired${because(entry)}`,

  'grant-imported': (entry) => `imported ${grant(entry)}${generation(entry)}`,
  'grant-connected': (entry) =>
    `the person authorized ${grant(entry)}${details(wanted(entry))}${because(entry)}`,
  'grant-died': (entry) => `${grant(entry)} is dead${because(entry)}`,
  'refresh-claimed': (entry) => `claimed the refresh of ${grant(entry)}${generation(entry)}`,
  'refresh-deferred': (entry) => `put off the refresh of ${grant(entry)}${because(entry)}`,
  'refresh-abandoned': (entry) => `gave up the refresh of ${grant(entry)}${because(entry)}`,
  'refresh-in-doubt': (entry) =>
    `nobody can tell whether the refresh of ${grant(entry)} took place${because(entry)}`,
  'refresh-recovered': (entry) => `recovered the refresh of ${grant(entry)}${because(entry)}`,
  'token-refreshed': (entry) =>
    `refreshed the token of ${grant(entry)}${generation(entry)}${because(entry)}`,
  'token-withheld': (entry) =>
    `kept back the new token of ${grant(entry)}${because(entry, 'the person is not active')}`,
  'token-rejected': (entry) =>
    `${entry.resource ?? 'the resource'} refused the token of ${grant(entry)}${generation(entry)}${because(entry)}`,

  'tool-call-started': (entry) => `called ${tool(entry)}${details(entry.effect, wanted(entry))}`,
  'tool-call-settled': (entry) => settled(entry),

  'user-state-changed': (entry) =>
    `the person is now ${stateWord(entry.outcome ?? entry.reason ?? 'in another state')}${by(entry)}`,
  'signal-received': (entry) =>
    `a directory's event${details(entry.outcome)}${because(entry, 'no reason is recorded')}`,
  'signal-unmatched': (entry) =>
    `an event about nobody who is known here${details(entry.outcome)}${because(entry)}`,
  'hold-opened': (entry) => `${entry.outcome ?? 'a source'} does not answer any more`,
  'hold-ended': (entry) => `${entry.outcome ?? 'a source'} answers again`,
  'switch-thrown': (entry) =>
    `${entry.by ?? 'somebody'} stopped ${entry.outcome ?? 'something'}${because(entry)}`,
  'switch-released': (entry) =>
    `${entry.by ?? 'somebody'} released ${entry.outcome ?? 'something'}${because(entry)}`,
  'decision-made': (entry) =>
    `${entry.by ?? 'somebody'} decided: ${entry.outcome ?? 'resume'}${details(entry.reason)}`,
  'decision-refused': (entry) =>
    `the word of ${entry.by ?? 'somebody'} was not accepted${because(entry)}`,
  'pause-claimed': () => 'a process took up the resumption',
  'pause-expired': () => 'nobody decided in time',
  'escalation-sent': (entry) => `asked ${entry.outcome ?? 'for a decision'}${because(entry)}`,
  'escalation-failed': (entry) => `could not ask ${entry.outcome ?? 'anybody'}${because(entry)}`,
  'escalation-advanced': (entry) => `now asks ${entry.outcome ?? 'others'}${because(entry)}`,

  'exchange-claimed': (entry) => `claimed the exchange${details(wanted(entry))}`,
  'exchange-deferred': (entry) => `put off the exchange${because(entry)}`,
  'exchange-abandoned': (entry) => `gave up the exchange${because(entry)}`,
  'exchange-in-doubt': (entry) =>
    `nobody can tell whether the exchange took place${because(entry)}`,
  'exchange-recovered': (entry) => `made the exchange again${because(entry)}`,
  'token-exchanged': (entry) =>
    `exchanged the token of ${grant(entry)} for one of the task${details(wanted(entry))}`,

  'delegation-minted': (entry) =>
    `was delegated authority of ${grant(entry)}${details(wanted(entry))}`,
  'delegation-revoked': (entry) => `the delegated authority was revoked${details(wanted(entry))}`,
  'delegation-withdrawn': (entry) =>
    `the tokens of the delegation were revoked, since the person was${details(wanted(entry), entry.outcome)}`,
  'delegation-revocation-failed': (entry) =>
    `the delegated authority could not be revoked${details(wanted(entry))}${because(entry)}`,
};

const codes: Readonly<Record<string, string>> = {
  reauthorization_required: 'the account must be authorized again',
  user_state: 'the person is not active',
  stopped_by_operator: 'an operator has stopped this',
  step_up_required: 'a stronger sign-in is required',
  insufficient_scope: 'the task was not given permission for this',
  rejected_after_refresh: 'the resource refuses even a fresh token',
  misconfigured: 'the connection is not configured correctly',
  issuer_refused: 'the issuer refuses the request',
  issuer_unavailable: 'the issuer cannot be reached',
  in_doubt: 'the outcome of a refresh is not known',
  store_unavailable: 'the store cannot be reached',
  audit_unavailable: 'what happens cannot be recorded',
  outcome_unknown: 'it is not known whether an earlier call had its effect',
  rotated_pair_lost: 'its rotated token pair was lost',
};

const states: Readonly<Record<string, string>> = {
  step_up: 'in need of a stronger sign-in',
  unknown: 'in a state that nobody could tell',
};

function why({ code, reason }: AuditEntry): string {
  if (code === 'user_state' && reason !== undefined) return `the person is ${stateWord(reason)}`;
  const words = code === undefined ? undefined : (codes[code] ?? code);
  if (words === undefined) return reason ?? 'no reason is recorded';
  return reason === undefined ? words : `${words} (${reason})`;
}

function because(entry: AuditEntry, otherwise?: string): string {
  if (entry.code === undefined && entry.reason === undefined)
    return otherwise === undefined ? '' : `: ${otherwise}`;
  return `: ${why(entry)}`;
}

function settled(entry: AuditEntry): string {
  switch (entry.outcome) {
    case 'done':
      return `${tool(entry)} is done${because(entry)}${by(entry)}`;
    case 'refused':
      return `${tool(entry)} was refused${because(entry)}`;
    case 'unknown':
      return `nobody can tell whether ${tool(entry)} had its effect${because(entry)}`;
    case 'suspended':
      return `${tool(entry)} was stopped half way, and will run again from its start`;
    case 'declined':
      return `${tool(entry)} was declined by a person`;
    default:
      return `${tool(entry)} ended: ${entry.outcome ?? 'no outcome is recorded'}${because(entry)}`;
  }
}

function stateWord(state: string): string {
  return states[state] ?? state;
}

function wanted({ resource, scopes }: AuditEntry): string | undefined {
  const list = scopes === undefined || scopes.length === 0 ? undefined : scopes.join(' ');
  return resource === undefined || list === undefined ? (resource ?? list) : `${resource}: ${list}`;
}

function grant(entry: AuditEntry): string {
  return entry.grant === undefined ? 'the grant' : `grant ${entry.grant.slice(0, 8)}`;
}

function tool({ toolName, toolCallId }: AuditEntry): string {
  return toolName ?? (toolCallId === undefined ? 'a tool' : `call ${toolCallId}`);
}

function whileCalling(entry: AuditEntry): string {
  return entry.toolName === undefined && entry.toolCallId === undefined ? '' : ` in ${tool(entry)}`;
}

function generation(entry: AuditEntry): string {
  return details(given('generation ', entry.generation));
}

function by(entry: AuditEntry): string {
  return entry.by === undefined ? '' : ` by ${entry.by}`;
}

function given(label: string, value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : `${label}${value}`;
}

function details(...parts: readonly (string | undefined)[]): string {
  const known = parts.filter((part) => part !== undefined && part !== '');
  return known.length === 0 ? '' : ` (${known.join(', ')})`;
}
