import type { Gate } from '@outlive/core';
import type { AgentSetup } from '../multi-process/agent-setup.ts';
import type { StorePlace } from '../multi-process/shared-store.ts';

/** What a worker is started with. Crosses the process boundary, so it is plain data. */
export interface AuditedSetup
  extends Pick<AgentSetup, 'issuerUrl' | 'apiUrl' | 'keys' | 'profile' | 'policy'> {
  readonly place: StorePlace;
  readonly seed: number;
  readonly taskIds: readonly string[];
}

/** Told when a worker has made its first call. */
export type AuditedEvent = 'working';

/** What a worker does. */
export interface AuditedCommands {
  /** Ends the work in an orderly way. */
  stop(): Promise<void>;
}

/** Asks the directory of the test issuer (SCIM 2.0). */
export function directoryGate(issuerUrl: string): Gate {
  return async ({ subject }, { signal }) => {
    const response = await fetch(`${issuerUrl}/scim/v2/Users/${subject}`, { signal });
    const user = (await response.json()) as { readonly active?: boolean };
    return user.active === true ? 'active' : 'revoked';
  };
}
