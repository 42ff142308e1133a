import type { Gate } from '@outlive/core';
import type { AgentSetup } from '../multi-process/agent-setup.ts';
import type { StorePlace } from '../multi-process/shared-store.ts';

/** What a worker is started with. Crosses the process boundary, so it is plain data. */
export interface ChaosSetup
  extends Pick<AgentSetup, 'issuerUrl' | 'apiUrl' | 'keys' | 'profile' | 'policy'> {
  readonly place: StorePlace;
  readonly seed: number;
  /** One task for each grant. */
  readonly taskIds: readonly string[];
  readonly journalFolder: string;
}

/** Told when a worker has been served its first token. */
export type ChaosEvent = 'working';

/** What a worker says by itself. */
export type ChaosReport =
  | { readonly kind: 'process'; readonly process: string }
  | ({ readonly kind: 'write' } & GrantWrite)
  | ({ readonly kind: 'figures' } & ChaosFigures);

/** A write to the record of a grant that has landed, or may have. */
export interface GrantWrite {
  readonly key: string;
  readonly status: string;
  /** Epoch ms, on the clock of the machine. */
  readonly at: number;
}

/** What a worker met since it started. */
export interface ChaosFigures {
  readonly served: number;
  /** Tokens that had expired when they were handed out. */
  readonly expired: number;
  /** Refusals by their code. */
  readonly refused: Readonly<Record<string, number>>;
}

/** What a worker does. */
export interface ChaosCommands {
  /** Ends the work in an orderly way. */
  stop(): Promise<void>;
}

/** Asks the directory of the test issuer (SCIM 2.0). */
export function directoryGate({ issuerUrl }: Pick<AgentSetup, 'issuerUrl'>): Gate {
  return async ({ subject }, { signal }) => {
    const response = await fetch(`${issuerUrl}/scim/v2/Users/${subject}`, { signal });
    const user = (await response.json()) as { readonly active?: boolean };
    return user.active === true ? 'active' : 'revoked';
  };
}
