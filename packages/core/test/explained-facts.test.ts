import { expect, it } from 'vitest';
import { factsOf } from '../src/index.ts';
import { stoppedTask, taskWithCall } from './paused-task.ts';
import { alice, createWorld, reading, writing } from './world.ts';

it('says who acted, on whose behalf, under which authority, and what became of each call', async () => {
  const { world, process, run, task, call } = await taskWithCall('reversible');
  await using _ = world;
  await call.principal.fetch('items', { method: 'POST' });
  await call.settle({ ok: true });
  await task.getAccessToken(reading, { rejectedGeneration: 0 });
  const second = run.call({ requirement: reading, toolName: 'list', toolCallId: 'c2', input: {} });
  world.turn('revoked');
  await second.principal.fetch('items').catch(() => undefined);
  await second.settle({ ok: false });

  const explanation = await process.outlive.explain(task.id);
  expect(explanation).toMatchObject({
    status: 'paused',
    agent: 'agent',
    onBehalfOf: alice,
    principal: expect.stringMatching(/^[\w-]{22}$/),
    personState: 'revoked',
    authorities: [
      {
        provider: 'p',
        resource: 'api',
        scopes: ['admin', 'read', 'write'],
        state: 'live',
        grantState: 'alive',
        generation: 1,
      },
    ],
    calls: [
      { toolCallId: 'c1', toolName: 'items', effect: 'reversible', outcome: 'done', attempts: 1 },
      { toolCallId: 'c2', toolName: 'list', outcome: 'refused', code: 'user_state' },
    ],
  });
  expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
  expect(explanation.text).toMatch(
    /^ {2}authority {2}api: admin read write of grant [\w-]{8} \(alive, generation 1\), live\n {2}person {5}revoked\n {2}done {7}items \(c1\)\n {2}refused {4}list \(c2; user_state\)\n {2}unknown {4}nothing\n/m,
  );
  expect(explanation.text).toContain(`agent agent · for alice, principal ${explanation.principal}`);
});

it('says how the authority ended, and that a grant is dead', async () => {
  const world = await createWorld();
  await using _ = world;
  const process = world.start();
  await world.grant(process);
  const task = await world.task(process);
  world.issuer.options.refreshTokenLifetimeMs = 1000;
  await task.complete();
  const { authorities } = await process.outlive.explain(task.id);
  expect(authorities).toMatchObject([{ state: 'lapsing', grantState: 'alive', generation: 0 }]);
});

it('says who decided what, also whose word was not accepted', async () => {
  const { world, process, pause, task } = await stoppedTask();
  await using _ = world;
  await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' });
  await process.outlive.decide(pause.id, { decision: 'resume', by: 'root' });
  expect((await process.outlive.explain(task.id)).decisions).toMatchObject([
    { by: 'alice', accepted: false, pauseId: pause.id },
    { by: 'root', accepted: true, decision: 'resume', reason: 'as admin', pauseId: pause.id },
  ]);
});

it('tells calls of two runs apart that have the same id', async () => {
  const { world, process, task, call } = await taskWithCall('reversible');
  await using _ = world;
  await call.principal.fetch('items', { method: 'POST' });
  await call.settle({ ok: true });
  const invocation = { requirement: writing, toolName: 'items', toolCallId: 'c1', input: {} };
  const namesake = task.startRun().call(invocation);
  world.turn('revoked');
  await namesake.principal.fetch('items', { method: 'POST' }).catch(() => undefined);
  const { calls } = await process.outlive.explain(task.id);
  expect(calls.map(({ toolCallId, outcome }) => [toolCallId, outcome])).toEqual([
    ['c1', 'done'],
    ['c1', 'refused'],
  ]);
});

it('says of a call whose process is gone that no end of it is recorded, from the entries alone', async () => {
  const world = await createWorld();
  await using _ = world;
  const process = world.start();
  await world.grant(process);
  const task = await world.task(process);
  const call = task
    .startRun()
    .call({ requirement: writing, toolName: 'items', toolCallId: 'c1', input: {} });
  await call.principal.fetch('items', { method: 'POST' });
  process.kill();
  const { entries } = await world.start().outlive.explain(task.id);
  expect(factsOf(entries, task.id).calls).toMatchObject([{ outcome: 'under way' }]);
});

it('counts calls by their tool where they are many', async () => {
  const { world, process, run, task } = await taskWithCall();
  await using _ = world;
  for (let at = 0; at < 6; at += 1) {
    const call = run.call({
      requirement: reading,
      toolName: at === 0 ? 'get' : 'list',
      toolCallId: `r${at}`,
      input: {},
    });
    await call.principal.fetch('items');
    await call.settle({ ok: true });
  }
  expect((await process.outlive.explain(task.id)).text).toMatch(/^ {2}done {7}1 get, 5 list$/m);
});
