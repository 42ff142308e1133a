import type { Secret } from './secret.ts';

/**
 * Keeps a raw token response from the moment it arrives until the new pair is stored, so that a process which
 * dies in between loses nothing. It lives on the disk of one host, hence `host`.
 */
export interface Journal {
  /** Names the disk: recovery on the same host can read what a dead process wrote. */
  readonly host: string;
  /** Durable once it resolves. */
  write(attemptId: string, body: Secret): Promise<void>;
  read(attemptId: string): Promise<Secret | undefined>;
  erase(attemptId: string): Promise<void>;
}
