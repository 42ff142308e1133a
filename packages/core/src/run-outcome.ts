import type { LedgerEntry } from './call-record.ts';
import type { Pause } from './pause-record.ts';

/**
 * How a run ended. Only `completed` has a `result`, so a paused run cannot be read as a success.
 *
 * `State` is what the adapter needs to resume the run: plain JSON, without a token. `Remainder` is what is left of a
 * run that was stopped.
 */
export type RunOutcome<Result, State = unknown, Remainder = Result> =
  | {
      readonly status: 'completed';
      readonly result: Result;
      readonly ledger: readonly LedgerEntry[];
    }
  | {
      readonly status: 'paused';
      readonly pause: Pause;
      /** What the framework returned when the loop was stopped; its text is not an answer. */
      readonly partialResult: Remainder | undefined;
      readonly state: State;
      readonly ledger: readonly LedgerEntry[];
    }
  | { readonly status: 'cancelled' | 'expired'; readonly ledger: readonly LedgerEntry[] }
  | {
      readonly status: 'failed';
      readonly error: unknown;
      readonly ledger: readonly LedgerEntry[];
    };
