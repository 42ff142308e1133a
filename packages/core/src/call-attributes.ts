import type { LedgerEntry } from './call-record.ts';

/**
 * What a trace may know of one credentialed call: ids, names, hashes and counts; never a token, an argument or a
 * response. Names as OpenTelemetry has them.
 */
export interface CallAttributes {
  readonly 'outlive.task.id': string;
  /** Keyed hash, the same as in the audit log. */
  readonly 'outlive.principal.hash': string;
  readonly 'outlive.resource': string;
  /** Of the last token that the call was given; absent when it was given none. */
  readonly 'outlive.token.generation'?: number;
  /** Absent while the call is under way, and when it asked for no authority. */
  readonly 'outlive.call.outcome'?: LedgerEntry['outcome'];
  /** Why it was refused. */
  readonly 'outlive.auth.code'?: string;
  readonly 'outlive.pause.id'?: string;
}

/** What is known of a call now. */
export interface CallFacts {
  readonly taskId: string;
  /** Keyed hash of the principal. */
  readonly principal: string;
  readonly resource: string;
  readonly generation: number | undefined;
  readonly entry: LedgerEntry | undefined;
}

/** The attributes of what is known; what is not known has none. */
export function callAttributes(facts: CallFacts): CallAttributes {
  const { taskId, principal, resource, generation, entry } = facts;
  return {
    'outlive.task.id': taskId,
    'outlive.principal.hash': principal,
    'outlive.resource': resource,
    ...(generation !== undefined && { 'outlive.token.generation': generation }),
    ...(entry !== undefined && { 'outlive.call.outcome': entry.outcome }),
    ...(entry?.code !== undefined && { 'outlive.auth.code': entry.code }),
    ...(entry?.pauseId !== undefined && { 'outlive.pause.id': entry.pauseId }),
  };
}
