import { sleep } from './clock.ts';
import { AuthError } from './errors.ts';
import type { RotationContext } from './rotation-context.ts';
import { Secret } from './secret.ts';

/**
 * Keeps a raw response until its pair is stored. A disk that is full, or hangs, must not cost the pair in hand:
 * others recover after the settle time, and would present its parent again.
 */
export async function keepInJournal(
  context: RotationContext,
  attempt: string,
  body: string,
): Promise<void> {
  const { journal } = context;
  if (journal === undefined) return;
  await inTime(context, () => journal.write(attempt, new Secret(body))).catch((error: unknown) =>
    note(context, attempt, 'written', error),
  );
}

/** Forgets a response whose pair is stored. What could not be erased costs the caller nothing: it is in the audit log. */
export async function eraseFromJournal(context: RotationContext, attempt: string): Promise<void> {
  const { journal } = context;
  if (journal === undefined) return;
  await inTime(context, () => journal.erase(attempt)).catch((error: unknown) =>
    note(context, attempt, 'erased', error),
  );
}

/**
 * The response of an attempt, if this host received it.
 *
 * @throws {AuthError} `in_doubt` when nobody can tell: a pair may be in there, so nothing is presented meanwhile.
 */
export async function readFromJournal(
  context: RotationContext,
  attempt: string,
): Promise<Secret | undefined> {
  const { journal } = context;
  if (journal === undefined) return undefined;
  try {
    return await inTime(context, () => journal.read(attempt));
  } catch (cause) {
    note(context, attempt, 'read', cause);
    throw new AuthError('in_doubt', { detail: 'the journal could not be read', cause });
  }
}

async function inTime<T>({ clock, times }: RotationContext, work: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  try {
    return await Promise.race([
      work(),
      sleep(clock, times.settleMs / 2, done.signal).then((): never => {
        throw new Error('it takes too long');
      }),
    ]);
  } finally {
    done.abort();
  }
}

function note(context: RotationContext, attempt: string, verb: string, error: unknown): void {
  const reason = `the journal could not be ${verb}: ${error instanceof Error ? error.message : error}`;
  context.audit({ type: 'refresh-in-doubt', attempt, reason });
}
