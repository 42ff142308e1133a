import { serveHandler } from '@outlive/testing';
import { expect, it, onTestFinished } from 'vitest';
import { createWorld } from './world.ts';

const hourMs = 3_600_000;
/** Longer than an attempt to tell somebody may stay unheard of. */
const goneMs = 31_000;

it('people are told, and the next step begins, once, though the process that began to tell was killed', async () => {
  const ids: string[] = [];
  const roles: string[] = [];
  const first = Promise.withResolvers<void>();
  const inbox = await serveHandler(async (request) => {
    ids.push(request.headers.get('webhook-id') ?? '');
    const { data } = (await request.json()) as { data: { roles: string[] } };
    roles.push(data.roles.join());
    if (ids.length > 1) return new Response(null, { status: 204 });
    first.resolve();
    // The first is never answered: whoever sent it is killed meanwhile.
    return new Promise<Response>(() => undefined);
  });
  onTestFinished(() => inbox.close());
  const world = await createWorld();
  const task = await world.startTask();
  const ladder = { url: inbox.url, secret: new Uint8Array(32).fill(5), userForMs: hourMs };
  const policy = { maintainMs: 0 };
  const [teller, ...others] = await world.startAgents(4, { ladder, policy });
  world.api.requireStepUp = { acrValues: ['mfa'] };

  await teller?.call('pay', task.id, 'c1');
  await first.promise;
  await teller?.kill();
  const maintainedBy = async (aheadMs: number) => {
    await Promise.all(others.map((agent) => agent.call('shiftClock', aheadMs)));
    return Promise.all([...others, ...others].map((agent) => agent.call('maintain')));
  };
  const sum = (reports: readonly { noticesSent: number; pausesEscalated: number }[]) => ({
    sent: reports.reduce((all, { noticesSent }) => all + noticesSent, 0),
    escalated: reports.reduce((all, { pausesEscalated }) => all + pausesEscalated, 0),
  });
  expect(sum(await maintainedBy(goneMs))).toEqual({ sent: 1, escalated: 0 });
  expect(sum(await maintainedBy(goneMs + hourMs))).toEqual({ sent: 1, escalated: 1 });
  expect(sum(await maintainedBy(goneMs + 2 * hourMs))).toEqual({ sent: 0, escalated: 0 });

  expect(roles).toEqual(['user', 'user', 'admin']);
  // A repetition has the id of the first.
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
  const { entries } = await world.outlive.explain(task.id);
  const escalations = entries.filter(({ type }) => type.startsWith('escalation-'));
  expect(escalations.map(({ type, outcome }) => `${type} ${outcome}`)).toEqual([
    'escalation-sent user',
    'escalation-advanced admin',
    'escalation-sent admin',
  ]);
});
