import { grantStream } from './audit-streams.ts';
import type { GrantReference } from './grant-import.ts';
import type { GrantRecord } from './grant-record.ts';
import type { RotationContext, RotationParts } from './rotation-context.ts';
import { type Runtime, stamped } from './runtime.ts';

/** How far back an end is looked for in the audit log: what follows it is little. */
const recentEvents = 100;

/** Which grant is rotated, and with what. */
export interface RotatedGrant {
  readonly runtime: Runtime;
  readonly parts: RotationParts;
  readonly key: string;
  /** Keyed hash of the principal. */
  readonly subject: string;
  /** What names the grant in the audit log. */
  readonly name: string;
  readonly reference: GrantReference;
  /** Whether the runtime is closed. */
  readonly closed: () => boolean;
}

/** What the rotation of one grant works with: its provider's parts, its own place, gate and audit stream. */
export function grantRotation(grant: RotatedGrant): RotationContext {
  const { runtime, parts, key, subject, name, closed } = grant;
  const { provider, principal, account = 'default' } = grant.reference;
  return {
    ...parts,
    key,
    grant: { provider, principal, account },
    unstored: new Set(),
    index: (record) => grantIndex(record, subject),
    gate: async (moment, options) => {
      const stopped = await runtime.killSwitches.check({ tenant: principal.tenant, provider });
      if (stopped !== undefined) return stopped;
      if (options?.afresh) runtime.userStates.distrust(subject);
      return runtime.userStates.check(principal, subject, moment);
    },
    closed,
    recentEvents: () => runtime.audit.newest(grantStream(name), recentEvents),
    audit: (event) =>
      runtime.audit.record(
        grantStream(name),
        stamped(runtime, { ...event, grant: name, provider }),
      ),
  };
}

/** What the store may search a grant by. */
export function grantIndex(
  record: GrantRecord,
  subject: string,
): { kind: 'grant'; status: string; subject: string } {
  return { kind: 'grant', status: record.state.status, subject };
}
