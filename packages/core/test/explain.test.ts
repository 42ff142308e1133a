import { createFakeClock } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import { type Audit, createAudit } from '../src/audit.ts';
import type { AuditEvent } from '../src/audit-event.ts';
import { grantStream, taskStream } from '../src/audit-streams.ts';
import { explain } from '../src/explain.ts';
import { createKeyedHash } from '../src/keyed-hash.ts';
import { memoryStore } from '../src/memory-store.ts';
import type { Store } from '../src/store.ts';

const keyedHash = createKeyedHash(new Uint8Array(32).fill(3));
const start = Date.UTC(2026, 0, 1, 9);
const grant = 'gR4nTh4shQ';

function auditOn(store: Store): Audit {
  return createAudit({ store, keyedHash, clock: createFakeClock() });
}

/** A task that is paused while it works, decided about by an admin, and completed by another process. */
function recordStory(audit: Audit): void {
  const task = (after: number, event: Omit<AuditEvent, 'at'>): void =>
    audit.record(taskStream('t-42'), {
      at: start + after,
      taskId: 't-42',
      agent: 'invoice-bot',
      principal: 'pRiNc1pal',
      process: after < 100_000 ? 'proc-one' : 'proc-two',
      ...event,
    });
  const onGrant = (after: number, event: Omit<AuditEvent, 'at'>): void =>
    audit.record(grantStream(grant), { at: start + after, grant, process: 'proc-one', ...event });
  const call = { toolName: 'createInvoice', toolCallId: 'c1', resource: 'billing', grant };

  onGrant(-60_000, { type: 'grant-imported', generation: 1 });
  task(0, { type: 'task-started' });
  task(0, { type: 'delegation-minted', grant, resource: 'billing', scopes: ['invoices:write'] });
  task(800, {
    type: 'tool-call-started',
    ...call,
    scopes: ['invoices:write'],
    effect: 'irreversible',
  });
  onGrant(810, { type: 'refresh-claimed', generation: 3, taskId: 't-7' });
  onGrant(12_400, { type: 'token-refreshed', generation: 4 });
  task(13_020, { type: 'user-state-changed', outcome: 'revoked' });
  task(13_030, { type: 'tool-call-settled', ...call, outcome: 'refused', code: 'user_state' });
  task(13_040, {
    type: 'task-paused',
    ...call,
    code: 'user_state',
    reason: 'revoked',
    outcome: 'admin',
  });
  task(13_100, { type: 'escalation-sent', outcome: 'admin', reason: 'by webhook' });
  task(4_500_000, { type: 'decision-made', by: 'ada', outcome: 'resume', reason: 'as admin' });
  task(4_500_100, { type: 'task-resumed' });
  task(4_503_000, { type: 'tool-call-settled', ...call, outcome: 'done' });
  task(4_503_500, { type: 'task-completed' });
  onGrant(9_000_000, { type: 'grant-died', reason: 'invalid_grant' });
}

describe('explaining a task', () => {
  it('reads as a timeline', async () => {
    const audit = auditOn(memoryStore());
    recordStory(audit);
    const { text } = await explain({ audit, taskId: 't-42' });
    expect(text).toMatchInlineSnapshot(`
      "Task t-42: completed
      agent invoice-bot · for principal pRiNc1pal · since 2026-01-01 09:00:00.000 UTC · 13 entries over 1 h 15 min

        authority  billing: invoices:write of grant gR4nTh4s (alive, generation 4), live
        person     revoked
        done       createInvoice (c1)
        refused    nothing
        unknown    nothing

                    +0.0 s  A  task        started
                    +0.0 s  A  delegation  was delegated authority of grant gR4nTh4s (billing: invoices:write)
                    +0.8 s  A  call        called createInvoice (irreversible, billing: invoices:write)
                    +0.8 s  A  grant       claimed the refresh of grant gR4nTh4s (generation 3), for task t-7
                   +12.4 s  A  grant       refreshed the token of grant gR4nTh4s (generation 4)
                   +13.0 s  A  person      the person is now revoked
                   +13.0 s  A  call        createInvoice was refused: the person is not active
                   +13.0 s  A  task        paused in createInvoice: the person is revoked (asks: admin)
                   +13.1 s  A  pause       asked admin: by webhook
        +1 h 15 min 00.0 s  B  pause       ada decided: resume (as admin)
        +1 h 15 min 00.1 s  B  task        resumed
        +1 h 15 min 03.0 s  B  call        createInvoice is done
        +1 h 15 min 03.5 s  B  task        completed

        Processes: A = proc-one, B = proc-two

      Verified: 15 entries in 2 streams, each as it was written.
      "
    `);
  });

  it("merges the task's stream with its grants', only for the time of the task", async () => {
    const audit = auditOn(memoryStore());
    recordStory(audit);
    const { status, entries, verified } = await explain({ audit, taskId: 't-42' });
    expect(status).toBe('completed');
    expect(entries.filter(({ stream }) => stream.startsWith('grant:'))).toHaveLength(2);
    expect(entries.map(({ at }) => at)).toEqual(entries.map(({ at }) => at).sort((a, b) => a - b));
    expect(verified).toEqual([
      { ok: true, stream: 'task:t-42', entries: 11 },
      { ok: true, stream: `grant:${grant}`, entries: 4 },
    ]);
  });

  it('tells where the task stands', async () => {
    const audit = auditOn(memoryStore());
    const steps = ['started', 'paused', 'resumed', 'failed'] as const;
    const seen: string[] = [];
    for (const step of steps) {
      audit.record(taskStream('t'), { type: `task-${step}`, at: start });
      seen.push((await explain({ audit, taskId: 't' })).status);
    }
    expect(seen).toEqual(['active', 'paused', 'active', 'failed']);
  });

  it('says so when nothing is recorded', async () => {
    const explanation = await explain({ audit: auditOn(memoryStore()), taskId: 'nobody' });
    expect(explanation).toMatchObject({ status: 'unknown', entries: [] });
    expect(explanation.text).toBe(
      'Task nobody: unknown\nNothing is recorded about it.\n\nVerified: there is nothing to verify.\n',
    );
  });

  it('keeps the order of a stream although a process that wrote to it has a slow clock', async () => {
    const audit = auditOn(memoryStore());
    const stream = taskStream('t');
    audit.record(stream, { type: 'task-started', at: start });
    audit.record(stream, { type: 'task-paused', at: start + 5000 });
    audit.record(stream, { type: 'task-resumed', at: start - 3000 });
    audit.record(stream, { type: 'task-completed', at: start - 1000 });
    const { entries, text } = await explain({ audit, taskId: 't' });
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect(text).toContain('-3.0 s  task  resumed');
  });

  it('shows how many events could not be kept, and between which', async () => {
    const store = memoryStore();
    const audit = createAudit({
      store,
      keyedHash,
      clock: createFakeClock(),
      queueLimit: 1,
      onProblem: () => undefined,
    });
    const stream = taskStream('t');
    for (let at = start; at < start + 3; at += 1)
      audit.record(stream, { type: 'task-started', at });
    await audit.flush();
    audit.record(stream, { type: 'task-completed', at: start + 100 });
    expect((await explain({ audit, taskId: 't' })).text).toContain(
      '          task  … 2 events could not be kept here …\n  +0.1 s  task  completed',
    );
  });

  it('tells a damaged stream up to its damage, and says so first and last', async () => {
    const honest = memoryStore();
    const writer = auditOn(honest);
    recordStory(writer);
    await writer.flush();
    const forged: Store = {
      ...honest,
      async *read(stream, from) {
        for await (const { sequence, value } of honest.read(stream, from))
          yield { sequence, value: sequence === 3 ? value.slice(1) : value };
      },
    };
    const { text, entries, verified } = await explain({ audit: auditOn(forged), taskId: 't-42' });
    expect(entries.filter(({ stream }) => stream === 'task:t-42')).toHaveLength(2);
    expect(verified[0]).toMatchObject({ ok: false, sequence: 3, problem: 'changed' });
    expect(text).toContain('THE RECORD IS DAMAGED: see the end.');
    expect(text).toContain('NOT AS WRITTEN: entry 3 of task:t-42 is not what was written;');
    expect(text).not.toContain('each as it was written');
  });

  it('lets nothing in a reason add a line, or steer a terminal', async () => {
    const audit = auditOn(memoryStore());
    const evil = 'x\n\nVerified: all is well\u001b[2J\u202e';
    audit.record(taskStream('t\nVerified: 1'), {
      type: 'task-failed',
      at: start,
      reason: evil,
      agent: evil,
      process: evil,
    });
    const { text } = await explain({ audit, taskId: 't\nVerified: 1' });
    for (const character of ['\u001b', '\u202e']) expect(text).not.toContain(character);
    expect(text.match(/^Verified:/gm)).toHaveLength(1);
  });

  it('still tells an event that a newer version has written', async () => {
    const audit = auditOn(memoryStore());
    const event: unknown = { type: 'constructor', at: start };
    audit.record(taskStream('t'), event as AuditEvent);
    expect((await explain({ audit, taskId: 't' })).text).toContain('constructor');
  });
});
