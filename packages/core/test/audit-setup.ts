import { createFakeClock } from '@outlive/testing';
import { type Audit, createAudit } from '../src/audit.ts';
import type { AuditEntry } from '../src/audit-chain.ts';
import type { AuditEvent } from '../src/audit-event.ts';
import type { AuditProblem } from '../src/audit-problem.ts';
import { taskStream } from '../src/audit-streams.ts';
import { createKeyedHash } from '../src/keyed-hash.ts';
import { type Store, StoreError } from '../src/store.ts';

const keyedHash = createKeyedHash(new Uint8Array(32).fill(3));
export const stream = taskStream('t1');

export function event(name: string): AuditEvent {
  return { type: 'tool-call-started', at: 1000, taskId: 't1', toolName: name };
}

export async function namesIn(audit: Audit, of: string = stream): Promise<(string | undefined)[]> {
  return (await entriesIn(audit, of)).map(({ toolName }) => toolName);
}

export async function entriesIn(audit: Audit, of: string = stream): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for await (const entry of audit.read(of)) entries.push(entry);
  return entries;
}

export type Failure = 'before' | 'after' | 'late';

/** A store whose next appends fail: before anything is written, after it was, or so that it is just before the next one. */
export function failingStore(inner: Store) {
  const failures: Failure[] = [];
  const appended: number[] = [];
  let late: (() => Promise<unknown>) | undefined;
  return {
    ...inner,
    failures,
    /** How many values each append was given. */
    appended,
    async append(of: string, sequence: number, values: readonly string[]) {
      appended.push(values.length);
      const landing = late;
      late = undefined;
      await landing?.();
      const failure = failures.shift();
      if (failure === 'late') late = () => inner.append(of, sequence, values);
      if (failure === 'late' || failure === 'before')
        throw new StoreError('unavailable', 'The store is away.');
      const answer = await inner.append(of, sequence, values);
      if (failure === 'after') throw new StoreError('unavailable', 'The answer was lost.');
      return answer;
    },
  };
}

export function auditOn(store: Store, more: Partial<Parameters<typeof createAudit>[0]> = {}) {
  const problems: AuditProblem[] = [];
  const clock = createFakeClock();
  const onProblem = (problem: AuditProblem): void => void problems.push(problem);
  return { audit: createAudit({ store, keyedHash, clock, onProblem, ...more }), problems, clock };
}
