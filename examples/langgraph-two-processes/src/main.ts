// Tells the story. Exit status 1 when anything is not as the README promises.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolRequirements } from '@outlive/core';
import { createProtectedApi, createTestIssuer } from '@outlive/testing';
import { runInProcess } from './agent-process.ts';
import { admin, billingAudience, billingScopes, clerk, openRuntime } from './runtime.ts';
import { tools } from './tools.ts';

const folder = await mkdtemp(join(tmpdir(), 'outlive-two-processes-'));
try {
  await tellStory();
} finally {
  await rm(folder, { recursive: true, maxRetries: 5 });
}

async function tellStory(): Promise<void> {
  await using issuer = await createTestIssuer({
    accessTokenLifetimeMs: 600_000,
    resources: { [billingAudience]: { scopes: billingScopes } },
  });
  const answer = (): Response => Response.json({ invoice: 'I-7', state: 'ok' });
  await using api = await createProtectedApi({
    issuer,
    audience: billingAudience,
    routes: {
      'GET /invoices/:id': { scopes: ['invoices:read'], handle: answer },
      'PUT /invoices/:id/mark': { scopes: ['invoices:write'], handle: answer },
      'POST /invoices/:id/payment': { scopes: ['payments:make'], handle: answer },
    },
  });
  const runtime = {
    storePath: join(folder, 'outlive.db'),
    keys: { current: 'k1', ring: { k1: randomBytes(32) }, hash: randomBytes(32) },
    issuerUrl: issuer.url,
    apiUrl: api.url,
  };
  const place = { runtime, checkpointsPath: join(folder, 'checkpoints.db') };
  await using opened = openRuntime(runtime);
  const { outlive } = opened;
  const served = (): string[] => api.accepted.map(({ method }) => method).toSorted();

  await connect(['invoices:read', 'invoices:write'], false);
  const task = await outlive.startTask({
    principal: clerk,
    agent: 'payer',
    requirements: toolRequirements(tools),
    expectedDurationMs: 3_600_000,
  });
  const first = await runInProcess({ ...place, begin: task.id });
  assert.ok(first.pausedRun, `expected a paused run, got ${first.status} ${first.code}`);
  assert.deepEqual(first.pausedRun.pending, [
    { toolCallId: 'call-payInvoice', toolName: 'payInvoice' },
  ]);
  assert.deepEqual(served(), ['GET', 'PUT']);
  assert.equal(first.modelCalls, 1);
  say(
    `Process ${first.pid} read and marked the invoice. The payment was refused: paused. It ends.`,
  );

  const goOn = JSON.stringify(first.pausedRun);
  const early = await runInProcess({ ...place, goOn });
  assert.equal(early.status, 'paused');
  assert.equal(early.modelCalls, 0);
  say(`Process ${early.pid} asked too early: it still waits. No call has run, no model was asked.`);

  const { pauseId } = first.pausedRun;
  await connect(billingScopes, true);
  const own = await outlive.decide(pauseId, { decision: 'resume', by: clerk.subject });
  assert.equal(own.status, 'waiting');
  const both = await outlive.decide(pauseId, { decision: 'resume', by: admin });
  assert.equal(both.status, 'decided');
  say(`${clerk.subject} has connected the account anew, and agrees; so does ${admin}.`);

  const racers = await Promise.all([
    runInProcess({ ...place, goOn }),
    runInProcess({ ...place, goOn }),
  ]);
  for (const { pid, status, code, said } of racers)
    say(`Process ${pid} goes on with the run: ${[status, code, said].filter(Boolean).join(', ')}`);
  assert.ok(racers.some(({ status, said }) => status === 'completed' && said !== ''));
  assert.ok(racers.every(({ status, code }) => status === 'completed' || code === 'not_resumable'));
  assert.equal(racers[0].modelCalls + racers[1].modelCalls, 1);
  assert.deepEqual(served(), ['GET', 'POST', 'PUT']);
  say('Of two that resumed at once one has paid. Nothing else ran again.');

  await task.complete();
  const issued = issuer.issuedTokens();
  const files = await readdir(folder);
  assert.ok(files.includes('checkpoints.db') && files.includes('outlive.db'));
  for (const file of files) {
    const bytes = await readFile(join(folder, file));
    assert.deepEqual(
      issued.filter(({ value }) => bytes.includes(value)),
      [],
      `a token is in ${file}`,
    );
  }
  say(`None of ${issued.length} tokens is in the checkpoints, or readable in the store.`);

  async function connect(scopes: readonly string[], replace: boolean): Promise<void> {
    const { tokenResponse: tokens } = await issuer.seedGrant({ ...clerk, scopes });
    await outlive.grants.import({ provider: 'company', principal: clerk, tokens, replace });
  }
}

function say(text: string): void {
  console.log(text);
}
