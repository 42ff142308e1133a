import type { Session } from './contestant.ts';

/** A session as it travels to a process. */
export type SentSession = Omit<Session, 'loginPrompted'>;

/** What a process of the race is asked to do. */
export type Ask =
  | { readonly type: 'prepare' | 'open'; readonly entry: string; readonly session: SentSession }
  | { readonly type: 'cycle'; readonly name: string; readonly calls: number }
  | { readonly type: 'close'; readonly name: string };

/** How one call went. */
export interface CallResult {
  readonly waitMs: number;
  /** Why it failed; absent when it did not. */
  readonly failed?: string;
}

/** How the calls of one process went, in one cycle of one session. */
export interface CycleResult {
  readonly calls: readonly CallResult[];
  readonly loginPrompts: number;
}
