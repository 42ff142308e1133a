import { createProtectedApi, createTestIssuer } from '@outlive/testing';
import { expect, it } from 'vitest';
import { createOutlive, memoryStore } from '../src/index.ts';

it('runs a call end to end', async () => {
  await using issuer = await createTestIssuer({ accessTokenLifetimeMs: 2000 });
  await using api = await createProtectedApi({
    issuer,
    routes: { 'GET /x': { scopes: ['read'], handle: () => Response.json({ ok: true }) } },
  });
  let state: 'active' | 'revoked' = 'active';
  const outlive = createOutlive({
    store: memoryStore(),
    providers: {
      p: {
        issuer: issuer.url,
        clientId: 'agent',
        clientSecret: 'agent-secret',
        profile: { probe: true },
        delegation: 'narrowedRefresh',
      },
    },
    resources: { api: { provider: 'p', baseUrl: api.url, scopes: ['read', 'write'] } },
    gate: () => state,
    policy: { gateCacheMs: 0, authorize: ({ by }) => ({ id: by, roles: ['admin'] }) },
  });
  const principal = { subject: 'alice' };
  const { tokenResponse, grantId } = await issuer.seedGrant({ subject: 'alice' });
  await outlive.grants.import({ provider: 'p', principal, tokens: tokenResponse });
  const requirement = {
    resource: outlive.resources.api,
    scopes: ['read'],
    effect: 'read',
  } as const;
  const task = await outlive.startTask({
    principal,
    agent: 'a',
    requirements: [requirement],
    expectedDurationMs: 60_000,
  });
  const run = task.startRun();
  const call = run.call({ requirement, toolName: 't', toolCallId: 'c1', input: {} });
  const response = await call.principal.fetch('x');
  expect(await response.json()).toEqual({ ok: true });
  expect(await call.settle({ ok: true })).toBeUndefined();
  await new Promise((r) => setTimeout(r, 2100));
  const call2 = run.call({ requirement, toolName: 't', toolCallId: 'c2', input: {} });
  expect((await call2.principal.fetch('x')).status).toBe(200);
  state = 'revoked';
  await new Promise((r) => setTimeout(r, 2100));
  const call3 = run.call({ requirement, toolName: 't', toolCallId: 'c3', input: {} });
  await expect(call3.principal.fetch('x')).rejects.toThrow(/auth:user_state/);
  expect(run.halted).toBe(true);
  const end = await run.finish();
  expect(end.status).toBe('paused');
  if (end.status !== 'paused') return;
  state = 'active';
  expect((await outlive.decide(end.pause.id, { decision: 'resume', by: 'root' })).status).toBe(
    'decided',
  );
  expect((await outlive.resume(end.pause.id)).status).toBe('resumed');
  const again = await task.resumeRun({ runId: run.id, toolCallIds: ['c3'] });
  const call4 = again.call({ requirement, toolName: 't', toolCallId: 'c3', input: {} });
  expect(await call4.admission).toBeUndefined();
  expect((await call4.principal.fetch('x')).status).toBe(200);
  console.log(await task.complete());
  console.log((await outlive.explain(task.id)).text, issuer.counters, issuer.grant(grantId));
  await outlive.close();
});
