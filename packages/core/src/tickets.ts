import { AuthError } from './errors.ts';
import { randomId } from './random-id.ts';
import { recordKey } from './record-key.ts';
import type { Runtime } from './runtime.ts';
import type { TaskIdentity } from './task-record.ts';

/** What a ticket is for. Equal names are one ticket. */
export interface TicketName {
  readonly task: TaskIdentity;
  readonly purpose: 'approved call' | 'resumed turn';
  readonly parts: readonly string[];
}

/** The durable record of something that may happen once. */
interface Ticket {
  readonly status: 'issued' | 'used';
  /** Who wrote this status, so that a write whose acknowledgement was lost is known again. */
  readonly writer: string;
  /** Epoch ms. */
  readonly at: number;
}

/** What may happen once, in whichever process: the call that a person approved, the next turn of a paused run. */
export class Tickets {
  readonly #runtime: Pick<Runtime, 'records' | 'clock'>;

  constructor(runtime: Pick<Runtime, 'records' | 'clock'>) {
    this.#runtime = runtime;
  }

  /** Lets it happen once from now on. @throws {AuthError} `store_unavailable`. */
  async issue(name: TicketName): Promise<void> {
    await this.#change(name, () => 'issued');
  }

  /**
   * Whether it may happen now; of all who ask, one is told so.
   *
   * @param unissued whether a ticket that was never issued is as good as one that was.
   * @throws {AuthError} `store_unavailable`.
   */
  async use(name: TicketName, { unissued }: { readonly unissued: boolean }): Promise<boolean> {
    return await this.#change(name, (current) =>
      current?.status === 'issued' || (current === undefined && unissued) ? 'used' : undefined,
    );
  }

  /** Whether it was changed by this call. */
  async #change(
    name: TicketName,
    next: (current: Ticket | undefined) => Ticket['status'] | undefined,
  ): Promise<boolean> {
    const { records, clock } = this.#runtime;
    const key = ticketKey(name);
    const writer = randomId();
    try {
      for (;;) {
        const current = await records.get<Ticket>(key);
        if (current?.value.writer === writer) return true;
        const status = next(current?.value);
        if (status === undefined) return false;
        const ticket: Ticket = { status, writer, at: clock.now() };
        const index = { kind: 'call', status, taskId: name.task.id } as const;
        const written = await records
          .swap(key, current?.version ?? 0, ticket, index)
          // It may have landed all the same: the next look tells.
          .catch(async (cause: unknown) => {
            if ((await records.get<Ticket>(key))?.value.writer === writer) return true;
            throw cause;
          });
        if (written) return true;
      }
    } catch (cause) {
      throw new AuthError('store_unavailable', { cause });
    }
  }
}

/** Approvals belong to the person, whose next task may act on them; turns belong to their task. */
function ticketKey({ task, purpose, parts }: TicketName): string {
  const owner = purpose === 'approved call' ? task.subject : task.id;
  return recordKey('call', task.principal.tenant, owner, purpose, ...parts);
}
