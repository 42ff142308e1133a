import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Outlive, Task } from '@outlive/core';
import { fileJournal } from '@outlive/core/node';
import { createProtectedApi, createTestIssuer } from '@outlive/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ownPostgresServer } from '../servers/postgres-server.ts';
import { ownRedisServer } from '../servers/redis-server.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import { type AgentParts, createAgentRuntime } from './agent-runtime.ts';
import { principal, readItems } from './agent-setup.ts';
import { openStore, type StorePlace } from './shared-store.ts';
import { shiftableClock } from './shiftable-clock.ts';
import { watchedStore } from './watched-store.ts';

const keys = { current: 'key', ring: { key: randomBytes(32) }, hash: randomBytes(32) };

/** A server with a store in it, an issuer with a grant whose first token has expired, and a task. */
async function setUp(kind: 'redis' | 'postgres') {
  const server = await (kind === 'redis' ? ownRedisServer() : ownPostgresServer());
  const { url, process } = server;
  const place: StorePlace =
    kind === 'redis' ? { kind, url, prefix: 'test' } : { kind, url, schema: 'test' };
  const issuer = await createTestIssuer({ accessTokenLifetimeMs: 600_000 });
  const api = await createProtectedApi({ issuer, routes: {} });
  const open: (Outlive | { close(): Promise<unknown> })[] = [];
  const start = (parts: AgentParts): Outlive => {
    const outlive = createAgentRuntime({ issuerUrl: issuer.url, apiUrl: api.url, keys }, parts);
    open.unshift(outlive);
    return outlive;
  };
  const store = () => {
    const opened = openStore(place);
    open.unshift(opened);
    return opened;
  };
  onTestFinished(async () => {
    for (const each of open) await each.close();
    await api.close();
    await issuer.close();
    await server.stop();
  });
  const first = start({ store: store() });
  const { grantId, tokenResponse } = await issuer.seedGrant({ subject: principal.subject });
  const issuedAt = Date.now() - 24 * 3_600_000;
  await first.grants.import({ provider: 'issuer', principal, tokens: tokenResponse, issuedAt });
  const { id } = await first.startTask({
    principal,
    agent: 'tester',
    requirements: [readItems],
    expectedDurationMs: 3_600_000,
  });
  return {
    process,
    start,
    store,
    taskIn: async (outlive: Outlive) => (await outlive.task(id)) as Task,
    grant: () => first.grants.find({ provider: 'issuer', principal }),
    presentations: () => issuer.presentations(grantId).map(({ times }) => times),
  };
}

/** Kills the server just before the next pair is stored. */
function killedWhenSettling(server: ServerProcess, store: AgentParts['store']) {
  const failed = Promise.withResolvers<void>();
  let isUp = true;
  const watched = watchedStore(
    store,
    async (point) => {
      if (point !== 'settling' || !isUp) return;
      isUp = false;
      await server.end('SIGKILL');
    },
    (event) => event === 'write-failed' && failed.resolve(),
  );
  return { watched, failed: failed.promise };
}

describe.each(['redis', 'postgres'] as const)('a store in %s', (kind) => {
  it('that is down while a rotated pair is in hand: the pair is journaled, held and stored later', async () => {
    const { process, start, store, taskIn, grant, presentations } = await setUp(kind);
    const { watched, failed } = killedWhenSettling(process, store());
    const directory = join(process.folder, 'journal');
    const outlive = start({ store: watched, journal: fileJournal({ directory, keys }) });
    const journaled = (): readonly string[] =>
      readdirSync(directory).filter((name) => name !== 'host');
    expect(journaled()).toEqual([]);
    const waiting = (await taskIn(outlive)).getAccessToken(readItems);
    await failed;
    expect(journaled()).toHaveLength(1);
    await process.start();
    expect((await waiting).generation).toBe(1);
    expect(presentations()).toEqual([1, 0]);
    await expect.poll(grant).toMatchObject({ status: 'idle', generation: 1 });
    await expect.poll(journaled).toEqual([]);
  }, 90_000);

  it('that two hosts share whose clocks are a minute apart: one refresh, and nobody recovers', async () => {
    const { start, store, taskIn, presentations } = await setUp(kind);
    const watched = [store(), store()].map((each) =>
      watchedStore(
        each,
        async () => undefined,
        () => undefined,
      ),
    );
    const tasks: Task[] = [];
    for (const [at, each] of watched.entries()) {
      const clock = shiftableClock(at * 60_000);
      tasks.push(await taskIn(start({ store: each, clock })));
    }
    const tokens = await Promise.all(
      tasks.flatMap((task) => Array.from({ length: 20 }, () => task.getAccessToken(readItems))),
    );
    expect(new Set(tokens.map(({ generation }) => generation))).toEqual(new Set([1]));
    expect(presentations()).toEqual([1, 0]);
    expect(watched.flatMap(({ grantWrites }) => grantWrites)).toEqual(['refreshing', 'idle']);
  }, 60_000);
});
