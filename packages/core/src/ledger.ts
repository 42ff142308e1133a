import type { CallRecord } from './call-record.ts';
import { canonicalJson } from './canonical-json.ts';
import { AuthError } from './errors.ts';
import { recordKey } from './record-key.ts';
import type { Versioned } from './records.ts';
import type { Runtime } from './runtime.ts';
import type { TaskIdentity } from './task-record.ts';

/** Which call is meant. Tool call ids are unique within a run. */
export interface CallReference {
  readonly task: TaskIdentity;
  readonly runId: string;
  readonly toolCallId: string;
}

/**
 * The durable records of credentialed calls: what was started, what was refused and may run again, and what
 * nobody can tell. Every change is a compare-and-swap, so that of two runs that want the same call one gets it.
 */
export class Ledger {
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** @throws {AuthError} `store_unavailable`. */
  async get(call: CallReference): Promise<Versioned<CallRecord> | undefined> {
    try {
      return await this.#runtime.records.get<CallRecord>(callKey(call));
    } catch (cause) {
      throw new AuthError('store_unavailable', { cause });
    }
  }

  /**
   * Writes what `next` makes of the record, again and again until it holds. `next` answers `undefined` to leave
   * the record as it is. Answers the record as it then stands.
   *
   * @throws {AuthError} `store_unavailable` when it is not known whether it was written.
   */
  async change(
    call: CallReference,
    next: (current: CallRecord | undefined) => CallRecord | undefined,
  ): Promise<CallRecord | undefined> {
    const key = callKey(call);
    for (;;) {
      const current = await this.get(call);
      const record = next(current?.value);
      if (record === undefined) return current?.value;
      try {
        const index = { kind: 'call', status: record.status, taskId: record.taskId } as const;
        if (await this.#runtime.records.swap(key, current?.version ?? 0, record, index))
          return record;
      } catch (cause) {
        // It may have landed all the same: then the record is ours, and must not wait for somebody who is gone.
        const found = await this.get(call);
        const landed = found !== undefined && found.version === (current?.version ?? 0) + 1;
        if (landed && canonicalJson(found.value) === canonicalJson(record)) return record;
        throw new AuthError('store_unavailable', { cause });
      }
    }
  }
}

function callKey(call: CallReference): string {
  return recordKey('call', call.task.principal.tenant, call.task.id, call.runId, call.toolCallId);
}
