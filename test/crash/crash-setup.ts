import type { KeysConfiguration } from '@outlive/core';
import type { StorePlace } from '../multi-process/shared-store.ts';
import type { CrashPoint } from './crash-points.ts';
import type { CrashIssuer } from './crash-profiles.ts';

/** What the processes of the matrix are started with. Crosses the process boundary, so it is plain data. */
export interface CrashSetup {
  readonly issuerUrls: Readonly<Record<CrashIssuer, string>>;
  readonly place: StorePlace;
  readonly keys: KeysConfiguration;
  /** Folder of the journal: processes with the same one are on the same host. Absent runs without a journal. */
  readonly journalFolder?: string;
  /** Where every refresh of this process stops until it is told to go on. */
  readonly holdAt?: CrashPoint['heldBy'];
}

/** Told for each refresh that has come to `holdAt`. */
export type CrashEvent = 'held';

/** What a process of the matrix does. */
export interface CrashCommands {
  /** Asks for a token for a task at the provider of this name. */
  token(provider: string, taskId: string): Promise<TokenReceived>;
}

/** What became of asking. */
export type TokenReceived =
  | { readonly status: 'served'; readonly generation: number }
  | { readonly status: 'refused'; readonly code: string; readonly reason: string | undefined };
