import { Mutex } from 'async-mutex';
import { inTime } from './clock.ts';
import { canAdoptLate, type GrantRecord, type RefreshAttempt } from './grant-record.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { eraseFromJournal } from './journaling.ts';
import { fingerprintOf } from './random-id.ts';
import type { Versioned } from './records.ts';
import type { RotationContext } from './rotation-context.ts';
import type { Runtime } from './runtime.ts';
import { settle } from './settlement.ts';

/** How long a listing of the journal may take, ms. */
const listingMs = 10_000;

/** The journal of this host, as the runtime clears it: at its start and with each round of maintenance. */
export class OwnJournal {
  readonly #runtime: Runtime;
  readonly #mutex = new Mutex();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * Stores the pairs that dead processes could not store, without waiting until their attempts may be recovered, and
   * erases those that their grants have moved on from. Answers how many it stored.
   *
   * Whether the owner is dead need not be known: what it is about to store is this very pair, and it takes a record
   * that holds its result for its own.
   *
   * @param failures receives what stays for the next round.
   */
  async clear(failures: unknown[]): Promise<number> {
    const { journal, clock } = this.#runtime;
    if (journal?.entries === undefined) return 0;
    return this.#mutex.runExclusive(async () => {
      let adopted = 0;
      try {
        for (const entry of await inTime(clock, listingMs, () => listed(journal), hangs))
          if (await this.#clearEntry(journal, entry, failures)) adopted += 1;
      } catch (error) {
        failures.push(error);
      }
      return adopted;
    });
  }

  async #clearEntry(journal: Journal, entry: JournalEntry, failures: unknown[]): Promise<boolean> {
    const { records, grants } = this.#runtime;
    try {
      // Read after the entry: its claim was written before it, so a record without that claim has moved on.
      const current = await records.get<GrantRecord>(entry.grantKey);
      if (current === undefined) {
        await journal.setAside?.(entry.attemptId, 'its grant is not in this store.');
        return false;
      }
      const key = await grants.key(current.value);
      return await adopt(await grants.rotationOf(key, current.value), current, entry);
    } catch (error) {
      failures.push(error);
      return false;
    }
  }
}

function hangs(): never {
  throw new Error(`maintenance: the journal could not be listed within ${listingMs} ms`);
}

async function listed(journal: Journal): Promise<readonly JournalEntry[]> {
  return (await journal.entries?.()) ?? [];
}

async function adopt(
  context: RotationContext,
  current: Versioned<GrantRecord>,
  { attemptId, body }: JournalEntry,
): Promise<boolean> {
  const { version, value: record } = current;
  const tokens = context.issuer.parse(body.reveal());
  const attempt = await lineageOf(record, attemptId);
  if (attempt === undefined) {
    await forget(context, record, attemptId, tokens?.refreshToken?.reveal());
    return false;
  }
  // Recovery decides about an attempt whose response holds no pair; then it is left over.
  if (tokens === undefined) return false;
  const claim = { version, record, attempt, claimedAtMs: context.clock.monotonicMs() };
  const sent = {
    outcome: { outcome: 'granted', tokens },
    // The only instant that is known to lie before the response: rather an expiry that comes too soon.
    issuedAt: attempt.firstStartedAt,
  } as const;
  if ((await settle(context, claim, sent)) === undefined) return false;
  context.audit({
    type: 'refresh-recovered',
    attempt: attemptId,
    reason: 'the journal of this host holds the response',
  });
  return true;
}

/** The entry's attempt, if the record still waits for what became of it. */
async function lineageOf(
  record: GrantRecord,
  attemptId: string,
): Promise<RefreshAttempt | undefined> {
  const current = 'attempt' in record.state ? record.state.attempt : undefined;
  if (current === undefined) return undefined;
  const attempt = { ...current, id: attemptId };
  if (!canAdoptLate(record, attempt)) return undefined;
  const parent = fingerprintOf(record.refreshToken);
  return parent === attempt.fingerprint ? attempt : undefined;
}

/**
 * The grant has moved on. The pair is either the one that was stored, or nobody's: it is not revoked, since to revoke
 * a refresh token ends the whole grant at many issuers (RFC 7009 section 2.1), the pair in use with it.
 */
async function forget(
  context: RotationContext,
  record: GrantRecord,
  attempt: string,
  refreshToken: string | undefined,
): Promise<void> {
  await eraseFromJournal(context, attempt);
  if (refreshToken === undefined || refreshToken === record.refreshToken?.reveal()) return;
  context.audit({
    type: 'refresh-abandoned',
    attempt,
    reason: 'its pair was still in the journal when the grant had moved on; it was erased',
  });
}
