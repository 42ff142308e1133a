import { grantStream } from './audit-streams.ts';
import type { DecisionResult } from './decide-pause.ts';
import type { DecoupledFlow } from './decoupled-authorization.ts';
import type { GrantReference } from './grant-import.ts';
import type { GrantSummary } from './grants.ts';
import { recordKey } from './record-key.ts';
import { type Runtime, stamped } from './runtime.ts';
import type { Secret } from './secret.ts';

/** What became of an attempt to connect. */
export type ConnectionResult =
  | {
      readonly status: 'connected';
      readonly grant: GrantSummary;
      /** What became of the pauses that waited for this: the person's word was taken for each. */
      readonly pauses: readonly DecisionResult[];
      /** Scopes that the issuer granted and nobody had asked for; tasks do not get them. Absent when there are none. */
      readonly unasked?: readonly string[];
    }
  /** The person or the issuer said no. */
  | { readonly status: 'denied'; readonly error: string }
  /** It does not belong here: unknown or used state, another session, person or account. Nothing was stored. */
  | { readonly status: 'refused'; readonly because: string };

/** What every connection in the making holds. */
interface ConnectionBase {
  readonly reference: GrantReference;
  /** The key that the code and the tokens are bound to. */
  readonly proofKey?: Secret | undefined;
  readonly scopes: readonly string[];
  readonly indicators: readonly string[];
  /** The account at the issuer that must come back, as the app knows it. */
  readonly issuerSubject?: string;
  readonly pauseId?: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** A person who was sent to the issuer's pages. */
export interface CodeConnection extends ConnectionBase {
  readonly flow: 'code';
  readonly redirectUri: string;
  readonly codeVerifier: Secret;
  readonly nonce: string | undefined;
  /** Keyed hash of the browser session. */
  readonly session: string;
}

/** A person who answers at a device page or on a phone. */
export interface DecoupledConnection extends ConnectionBase {
  readonly flow: DecoupledFlow;
  /** Absent once there is a result. */
  readonly code?: Secret;
  readonly intervalMs: number;
  /** Epoch ms; whoever moves it on is the one who asks. */
  readonly nextPollAt: number;
  readonly result?: ConnectionResult;
}

/** The durable record of a connection in the making. */
export type ConnectionRecord = CodeConnection | DecoupledConnection;

/** Where it is kept: under a hash of what only its own answer knows. */
export async function connectionKey({ keyedHash }: Runtime, id: string): Promise<string> {
  return recordKey('connection', undefined, await keyedHash.hash('match', `connection ${id}`));
}

/** Refuses a connection, and has the audit log say so. */
export async function refuseConnection(
  runtime: Runtime,
  { reference }: ConnectionRecord,
  because: string,
): Promise<ConnectionResult> {
  const { grants, audit } = runtime;
  const grant = await grants.auditName(await grants.key(reference));
  audit.record(
    grantStream(grant),
    stamped(runtime, {
      type: 'decision-refused',
      grant,
      provider: reference.provider,
      reason: `connection refused: ${because}`,
    }),
  );
  return { status: 'refused', because };
}
