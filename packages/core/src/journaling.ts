import { inTime, sleep } from './clock.ts';
import { AuthError } from './errors.ts';
import type { TokenSet } from './issuer.ts';
import type { Journal } from './journal.ts';
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
  const { journal, key } = context;
  if (journal === undefined) return;
  await bounded(context, () => journal.write(attempt, new Secret(body), key)).catch(
    (error: unknown) => note(context, attempt, 'written', error),
  );
}

/** Forgets a response whose pair is stored. What could not be erased costs the caller nothing: it is in the audit log. */
export async function eraseFromJournal(context: RotationContext, attempt: string): Promise<void> {
  const { journal } = context;
  if (journal === undefined) return;
  await bounded(context, () => journal.erase(attempt)).catch((error: unknown) =>
    note(context, attempt, 'erased', error),
  );
}

/** A pair that waited in the journal, and the attempt it answers. */
export interface JournaledPair {
  readonly attempt: string;
  readonly tokens: TokenSet;
}

/** Rounds of recovery in which a journal that fails is waited for. The next one goes on without it. */
const patientRounds = 2;

/**
 * The newest pair that this host received for one of `attempts`, oldest first: those that recovery looks back on.
 *
 * @throws {AuthError} `in_doubt` when nobody can tell: a pair may be in there, so nothing is presented meanwhile. A
 * journal that still fails after some rounds holds nobody up any longer.
 */
export async function findInJournal(
  context: RotationContext,
  attempts: readonly string[],
): Promise<JournaledPair | undefined> {
  const { journal, issuer } = context;
  if (journal === undefined) return undefined;
  let reading = attempts.at(-1) ?? '';
  try {
    return await bounded(context, async () => {
      for (const attempt of attempts.toReversed()) {
        reading = attempt;
        const body = await readTwice(context, journal, attempt);
        const tokens = body === undefined ? undefined : issuer.parse(body.reveal());
        if (tokens !== undefined) return { attempt, tokens };
      }
      return undefined;
    });
  } catch (cause) {
    note(context, reading, 'read', cause);
    // Each round of recovery has looked back on one attempt more.
    if (attempts.length > patientRounds) return undefined;
    throw new AuthError('in_doubt', { detail: 'the journal could not be read', cause });
  }
}

/** An entry that makes no sense is set aside by the first reading: the second one finds nothing, and that is an answer. */
async function readTwice(
  context: RotationContext,
  journal: Journal,
  attempt: string,
): Promise<Secret | undefined> {
  try {
    return await journal.read(attempt);
  } catch (error) {
    note(context, attempt, 'read', error);
    await sleep(context.clock, 100);
    return journal.read(attempt);
  }
}

/** A disk that hangs is not waited for until others recover. */
function bounded<T>({ clock, times }: RotationContext, work: () => Promise<T>): Promise<T> {
  return inTime(clock, times.settleMs / 2, work, () => {
    throw new Error('it takes too long');
  });
}

function note(context: RotationContext, attempt: string, verb: string, error: unknown): void {
  const reason = `the journal could not be ${verb}: ${error instanceof Error ? error.message : error}`;
  context.audit({ type: 'refresh-in-doubt', attempt, reason });
}
