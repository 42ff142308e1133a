import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFakeClock } from '@outlive/testing';
import { describe, expect, it, vi } from 'vitest';
import { createAudit } from '../src/audit.ts';
import { type AuditEntry, decodeEntry } from '../src/audit-chain.ts';
import type { AuditEvent } from '../src/audit-event.ts';
import type { AuditProblem } from '../src/audit-problem.ts';
import { taskStream } from '../src/audit-streams.ts';
import { type AuditSink, jsonLinesSink } from '../src/index.ts';
import { createKeyedHash } from '../src/keyed-hash.ts';
import { memoryStore } from '../src/memory-store.ts';
import { fileSink } from '../src/node.ts';
import { StoreError } from '../src/store.ts';
import { taskWithCall } from './paused-task.ts';
import { reading } from './world.ts';

const stream = taskStream('t1');

function event(toolName: string): AuditEvent {
  return { type: 'tool-call-started', at: 1000, taskId: 't1', toolName };
}

function auditTo(sink: AuditSink, queueLimit = 100) {
  const problems: AuditProblem[] = [];
  const clock = createFakeClock();
  const audit = createAudit({
    store: memoryStore(),
    keyedHash: createKeyedHash(new Uint8Array(32).fill(3)),
    clock,
    sinks: [sink],
    queueLimit,
    onProblem: (problem) => void problems.push(problem),
  });
  return { audit, problems, clock };
}

/** A sink that fails while it is told to. */
function moody(whenFailing: AuditSink['whenFailing'] & string) {
  const seen: (string | undefined)[] = [];
  const state = { broken: false };
  const sink: AuditSink = {
    name: 'moody',
    whenFailing,
    write({ toolName }: AuditEntry) {
      if (state.broken) throw new Error('disk full');
      seen.push(toolName);
    },
  };
  return { sink, seen, state };
}

describe('a sink that must not fail', () => {
  it('keeps what it could not take, stops what needs the record, and takes it all in order later', async () => {
    const { sink, seen, state } = moody('stop');
    const { audit, problems, clock } = auditTo(sink);
    state.broken = true;
    for (const name of ['a', 'b']) audit.record(stream, event(name));
    await audit.flush();
    expect(audit.obstacle).toBe('moody');
    expect(problems).toMatchObject([{ kind: 'sink', message: 'sink "moody" refused entry 1' }]);
    state.broken = false;
    await clock.advance(60_000);
    expect(audit.obstacle).toBeUndefined();
    expect(seen).toEqual(['a', 'b']);
  });

  it('is tried again by itself, later and later, and reported once', async () => {
    const { sink, state } = moody('stop');
    const attempts = vi.spyOn(sink, 'write');
    const { audit, problems, clock } = auditTo(sink);
    state.broken = true;
    audit.record(stream, event('a'));
    await audit.flush();
    const counts = [];
    for (const _minute of [1, 2]) {
      await clock.advance(60_000);
      counts.push(attempts.mock.calls.length);
    }
    expect(counts[0]).toBeGreaterThan(4);
    expect((counts[1] ?? 0) - (counts[0] ?? 0)).toBeLessThanOrEqual(3);
    expect(problems).toHaveLength(1);
    await audit.close();
    expect(problems.at(-1)?.message).toBe(
      'sink "moody" did not take 1 entries; the store has them',
    );
  });

  it('that does not answer counts as failing', async () => {
    const { audit, clock } = auditTo({
      name: 'stuck',
      whenFailing: 'stop',
      write: () => new Promise(() => undefined),
    });
    audit.record(stream, event('a'));
    await vi.waitFor(async () => {
      await clock.advance(5000);
      expect(audit.obstacle).toBe('stuck');
    });
  });

  it('holds no more than its limit in memory, and says what it skips', async () => {
    const { sink, seen, state } = moody('stop');
    const { audit, problems, clock } = auditTo(sink, 2);
    state.broken = true;
    for (const name of ['a', 'b', 'c', 'd']) {
      audit.record(stream, event(name));
      await audit.flush();
    }
    expect(problems.map(({ message }) => message)).toEqual([
      'sink "moody" refused entry 1',
      'sink "moody" is behind; entry 3 skips it',
      'sink "moody" is behind; entry 4 skips it',
    ]);
    state.broken = false;
    await clock.advance(60_000);
    expect(seen).toEqual(['a', 'b']);
  });

  it('refuses every call while it fails, and lets the paused task go on when it does not', async () => {
    const { sink, state } = moody('stop');
    const { world, process, run, call, task } = await taskWithCall('reversible', {
      audit: { sinks: [sink], onProblem: () => undefined },
    });
    await using _ = world;
    state.broken = true;
    // The first write finds out, before anything leaves.
    await expect(call.principal.fetch('items', { method: 'POST' })).rejects.toMatchObject({
      code: 'audit_unavailable',
      recovery: 'wait',
    });
    expect(world.api.accepted).toEqual([]);
    const end = await run.finish();
    if (end.status !== 'paused') throw new Error(`the run is ${end.status}`);
    expect(end.pause.requires).toEqual([]);
    expect(await process.outlive.resume(end.pause.id)).toMatchObject({
      status: 'waiting',
      because: 'the audit log cannot be written: moody',
    });

    state.broken = false;
    world.clock.skip(60_000);
    await vi.waitFor(async () =>
      expect(await process.outlive.resume(end.pause.id)).toMatchObject({ status: 'resumed' }),
    );
    expect((await task.getAccessToken(reading)).generation).toBe(0);
    const again = await task.resumeRun({ runId: run.id, toolCallIds: ['c1'] });
    const retried = again.call({
      requirement: { resource: 'api', scopes: ['write'], effect: 'reversible' },
      toolName: 'items',
      toolCallId: 'c1',
      input: {},
    });
    expect((await retried.principal.fetch('items', { method: 'POST' })).status).toBe(200);
  });
});

describe('a sink that may fail', () => {
  it('stops nothing', async () => {
    const { sink, state } = moody('continue');
    const { world, call } = await taskWithCall('reversible', {
      audit: { sinks: [sink], onProblem: () => undefined },
    });
    await using _ = world;
    state.broken = true;
    expect((await call.principal.fetch('items', { method: 'POST' })).status).toBe(200);
  });
});

describe('a store that takes no entries', () => {
  it.each([
    ['continue', 200],
    ['stop', 'audit_unavailable'],
  ] as const)('with whenStoreFails "%s" ends a write with %s', async (whenStoreFails, expected) => {
    const { world, process, call } = await taskWithCall('reversible', {
      audit: { whenStoreFails, onProblem: () => undefined },
    });
    await using _ = world;
    await process.outlive.explain('nothing');
    const away = process.store.intercept(async (store, proceed) => {
      if (store.operation === 'append' && store.key.startsWith('task:'))
        throw new StoreError('unavailable', 'The store is away.');
      return proceed();
    });
    const outcome = await call.principal.fetch('items', { method: 'POST' }).then(
      ({ status }) => status,
      ({ code }) => code,
    );
    expect(outcome).toBe(expected);
    away[Symbol.dispose]();
  });
});

it('a write is in the log before its first byte leaves', async () => {
  const order: string[] = [];
  const { world, process, call } = await taskWithCall('reversible', {
    fetch: (input, init) => {
      order.push('sent');
      return globalThis.fetch(input, init);
    },
  });
  await using _ = world;
  process.store.intercept(async (store, proceed) => {
    const done = await proceed();
    if (store.values?.some((value) => value.includes('tool-call-started'))) order.push('logged');
    return done;
  });
  await call.principal.fetch('items', { method: 'POST' });
  expect(order).toEqual(['logged', 'sent']);
});

describe('JSON lines', () => {
  it('are the entries as the store has them', async () => {
    const lines: string[] = [];
    const { audit } = auditTo(jsonLinesSink({ write: (line) => void lines.push(line) }));
    for (const name of ['a', 'b']) audit.record(stream, event(name));
    await audit.flush();
    const stored = [];
    for await (const entry of audit.read(stream)) stored.push(entry);
    expect(lines.every((line) => line.endsWith('\n'))).toBe(true);
    expect(lines.map((line) => decodeEntry(line.trimEnd()))).toEqual(stored);
  });

  it('go to a file that only its owner reads, and that may be moved away at any time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'outlive-sink-'));
    const file = join(folder, 'audit.jsonl');
    const { audit } = auditTo(fileSink({ file, sync: true }));
    audit.record(stream, event('a'));
    await audit.flush();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await rename(file, join(folder, 'audit.1.jsonl'));
    audit.record(stream, event('b'));
    await audit.flush();
    const names = async (path: string): Promise<unknown[]> =>
      (await readFile(join(folder, path), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).toolName);
    expect([await names('audit.1.jsonl'), await names('audit.jsonl')]).toEqual([['a'], ['b']]);
    await rm(folder, { recursive: true });
  });

  it('that cannot be written are a failure of the sink', async () => {
    const { audit, problems } = auditTo(fileSink({ file: join(tmpdir(), 'no', 'such', 'folder') }));
    audit.record(stream, event('a'));
    await audit.flush();
    expect(problems).toMatchObject([{ kind: 'sink', cause: { code: 'ENOENT' } }]);
    expect(() => fileSink({ file: '' })).toThrow('fileSink: file: expected a path');
  });
});
