import { createProtectedApi, createTestIssuer } from '@outlive/testing';
import { expect, it, vi } from 'vitest';
import { createOutlive, memoryStore } from '../src/index.ts';

it('keeps the grant of a person who is disabled while the gate still remembers that they were active', async () => {
  await using issuer = await createTestIssuer();
  await using api = await createProtectedApi({
    issuer,
    routes: { 'GET /x': { scopes: ['read'], handle: () => Response.json({ ok: true }) } },
  });
  await using outlive = createOutlive({
    store: memoryStore(),
    providers: { p: { issuer: issuer.url, clientId: 'agent', clientSecret: 'agent-secret' } },
    resources: { api: { provider: 'p', baseUrl: api.url, scopes: ['read'] } },
    gate: () => (issuer.user('ana').active ? 'active' : 'revoked'),
    policy: { authorize: ({ by }) => ({ id: by, roles: ['admin'] }) },
  });
  const principal = { subject: 'ana' };
  const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
  await outlive.grants.import({ provider: 'p', principal, tokens: tokenResponse });
  const requirement = {
    resource: outlive.resources.api,
    scopes: ['read'],
    effect: 'read',
  } as const;
  const start = { principal, agent: 'a', requirements: [requirement], expectedDurationMs: 60_000 };
  const task = await outlive.startTask(start);
  const run = task.startRun();
  const call = (toolCallId: string) =>
    run.call({ requirement, toolName: 't', toolCallId, input: {} }).principal.fetch('x');
  expect((await call('before')).status).toBe(200);

  issuer.user('ana').active = false;

  await expect(call('after')).rejects.toThrow(/auth:user_state/);
  expect(issuer.counters.refreshRequests).toBe(0);
  expect(await outlive.grants.find({ provider: 'p', principal })).toMatchObject({ status: 'idle' });
});

it('keeps the grant of a person who is disabled after the gate was asked and before the issuer was', async () => {
  await using issuer = await createTestIssuer({ accessTokenLifetimeMs: 1000 });
  let answered = 0;
  await using outlive = createOutlive({
    store: memoryStore(),
    providers: { p: { issuer: issuer.url, clientId: 'agent', clientSecret: 'agent-secret' } },
    resources: { api: { provider: 'p', baseUrl: issuer.url, scopes: ['read'] } },
    gate: ({ subject }) => {
      answered += 1;
      const { active } = issuer.user(subject);
      // Whoever is asked for the start is disabled right after the answer; the cache goes on saying active.
      issuer.user(subject).active = answered > 1 && active;
      return active ? 'active' : 'revoked';
    },
  });
  const principal = { subject: 'ana' };
  const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
  const tokens = { ...tokenResponse, expires_in: 0.001 };
  await outlive.grants.import({ provider: 'p', principal, tokens });
  const requirement = {
    resource: outlive.resources.api,
    scopes: ['read'],
    effect: 'read',
  } as const;
  const start = { principal, agent: 'a', requirements: [requirement], expectedDurationMs: 60_000 };
  const task = await outlive.startTask(start);

  await expect(task.getAccessToken(requirement)).rejects.toThrow(/auth:user_state/);
  expect(issuer.counters.refreshRequests).toBe(1);
  expect(await outlive.grants.find({ provider: 'p', principal })).toMatchObject({ status: 'idle' });

  issuer.user('ana').active = true;
  await vi.waitFor(async () => {
    expect(await task.getAccessToken(requirement)).toMatchObject({ generation: 1 });
  }, 5000);
});
