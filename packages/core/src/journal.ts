import type { Secret } from './secret.ts';

/** A token response that waits in a journal. */
export interface JournalEntry {
  /** The attempt whose request it answers. */
  readonly attemptId: string;
  /** Key of the record of the grant it belongs to. */
  readonly grantKey: string;
  /** The raw response. */
  readonly body: Secret;
}

/**
 * Keeps a raw token response from the moment it arrives until the new pair is stored, so that a process which
 * dies in between loses nothing. It lives on the disk of one host, hence `host`.
 */
export interface Journal {
  /** Names the disk: recovery on the same host can read what a dead process wrote. */
  readonly host: string;
  /** Durable once it resolves. `grantKey` is what `entries` says later on. */
  write(attemptId: string, body: Secret, grantKey: string): Promise<void>;
  /**
   * @throws when there is an entry that cannot be read. One that never will be is set aside first: the next read
   * finds nothing, and recovery goes on without it.
   */
  read(attemptId: string): Promise<Secret | undefined>;
  erase(attemptId: string): Promise<void>;
  /**
   * What waits here, also of processes that live. Lets maintenance store the pairs of dead processes at once;
   * without it they are found when somebody recovers their attempt.
   */
  entries?(): Promise<readonly JournalEntry[]>;
  /** Keeps an entry that belongs to nothing known out of the way, and tells somebody. */
  setAside?(attemptId: string, reason: string): Promise<void>;
}
