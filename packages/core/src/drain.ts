import * as z from 'zod';
import type { GrantReference } from './grant-import.ts';
import { checked } from './validation.ts';

/** How `outlive.close()` ends. */
export interface CloseOptions {
  /** How long refreshes under way are waited for, ms. Default 30 000. */
  readonly withinMs?: number;
}

/** A refresh that was still under way when the time was up. It goes on for as long as the process lives. */
export interface UnfinishedRefresh extends GrantReference {
  /**
   * Whether the process holds a new pair that is not in the store yet: if it ends now, only a journal still has the
   * pair. Otherwise the issuer has not answered yet.
   */
  readonly holdsPair: boolean;
}

/** What `outlive.close()` left behind. */
export interface DrainReport {
  /** Empty when everything was finished in time. */
  readonly unfinished: readonly UnfinishedRefresh[];
}

const options = z.strictObject({
  withinMs: z
    .number('expected a number of milliseconds')
    .nonnegative('expected 0 ms or more')
    // A timer cannot be set for longer.
    .max(2_147_483_647, 'expected at most 2147483647 ms')
    .optional(),
});

/** The bound of a drain, ms. @throws {ConfigurationError} naming the wrong option. */
export function drainBoundMs(given: CloseOptions): number {
  return checked(options, given, 'close').withinMs ?? 30_000;
}
