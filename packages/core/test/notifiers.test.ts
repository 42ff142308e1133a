import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import {
  consoleNotifier,
  type EscalationNotice,
  type Notifier,
  type WebhookNotifierOptions,
  webhookNotifier,
} from '../src/index.ts';
import { pausedTask, taskWithCall } from './paused-task.ts';
import { alice, never } from './world.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** A notifier that a test looks into. */
function recorded(answer: () => void | Promise<void> = () => undefined) {
  const told: { notice: EscalationNotice; key: string }[] = [];
  const notifier: Notifier = {
    name: 'pager',
    notify(notice, { idempotencyKey }) {
      told.push({ notice, key: idempotencyKey });
      return answer();
    },
  };
  return { told, notifier };
}

/** A real receiver of webhooks. */
async function startReceiver(status: () => number = () => 204) {
  const received: { headers: Record<string, string>; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    received.push({ headers: request.headers as Record<string, string>, body });
    response.writeHead(status(), { location: '/elsewhere' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('a pause', () => {
  it('is told to people at once, with what they need to decide and nothing that was called with', async () => {
    const { told, notifier } = recorded();
    const { world, pause, process, task } = await pausedTask('irreversible', {
      notifiers: [notifier],
    });
    await using _ = world;
    await vi.waitFor(() => expect(told).toHaveLength(1));
    expect(told[0]?.notice).toEqual({
      pauseId: pause.id,
      taskId: task.id,
      agent: 'agent',
      principal: alice,
      roles: ['user', 'admin'],
      step: 1,
      steps: 1,
      reason: pause.reason,
      call: {
        toolCallId: 'c1',
        toolName: 'items',
        resource: 'api',
        scopes: ['admin'],
        effect: 'irreversible',
      },
      openedAt: pause.openedAt,
      respondBy: pause.expiresAt,
    });
    await process.outlive.close();
    const { entries } = await world.start().outlive.explain(task.id);
    expect(entries.find(({ type }) => type === 'escalation-sent')).toMatchObject({
      pauseId: pause.id,
      outcome: 'user, admin',
      reason: 'by pager',
    });
  });

  it('that nobody has to decide is told to nobody', async () => {
    const { told, notifier } = recorded();
    const { world, process } = await pausedTask('read', {
      notifiers: [notifier],
      policy: { escalate: () => [] },
    });
    await using _ = world;
    expect(await process.outlive.maintain()).toMatchObject({ noticesSent: 0 });
    expect(told).toEqual([]);
  });

  it('is told by one process, however many maintain', async () => {
    const { told, notifier } = recorded();
    const { world, process } = await pausedTask('read', { notifiers: [notifier] });
    await using _ = world;
    await vi.waitFor(() => expect(told).toHaveLength(1));
    world.clock.skip(3_600_000);
    const others = [process, world.start(), world.start()];
    await Promise.all(others.map(({ outlive }) => outlive.maintain()));
    expect(told).toHaveLength(1);
  });

  it('is told to those of the next step when it begins', async () => {
    const { told, notifier } = recorded();
    const { world, process } = await pausedTask('reversible', { notifiers: [notifier] });
    await using _ = world;
    await vi.waitFor(() => expect(told).toHaveLength(1));
    world.clock.skip(4 * 3_600_000);
    expect(await process.outlive.maintain()).toMatchObject({ pausesEscalated: 1, noticesSent: 1 });
    expect(told.map(({ notice }) => [notice.step, notice.roles])).toEqual([
      [1, ['user']],
      [2, ['admin']],
    ]);
    expect(new Set(told.map(({ key }) => key)).size).toBe(2);
  });

  it('is told again with the same key, later and later, until somebody hears it', async () => {
    let broken = true;
    const { told, notifier } = recorded(() => {
      if (broken) throw new Error('the pager is away');
    });
    const { world, process, task, pause } = await pausedTask('read', { notifiers: [notifier] });
    await using _ = world;
    await vi.waitFor(async () =>
      expect(await process.outlive.pause(pause.id)).toMatchObject({
        notices: [{ notifier: 'pager', status: 'due', attempts: 1 }],
      }),
    );
    const waits: number[] = [];
    for (const attempts of [2, 3, 4]) {
      const dueAt = (await process.outlive.pause(pause.id))?.notices[0]?.dueAt ?? 0;
      waits.push(dueAt - world.clock.now());
      expect(await process.outlive.maintain()).toMatchObject({ noticesSent: 0 });
      world.clock.skip(dueAt - world.clock.now() + 1);
      await process.outlive.maintain();
      expect(told).toHaveLength(attempts);
    }
    expect(waits[2]).toBeGreaterThan(waits[0] ?? Number.POSITIVE_INFINITY);
    broken = false;
    world.clock.skip(3_600_000);
    expect(await process.outlive.maintain()).toMatchObject({ noticesSent: 1 });
    expect(new Set(told.map(({ key }) => key)).size).toBe(1);
    const { entries } = await process.outlive.explain(task.id);
    expect(
      entries.filter(({ type }) => type.startsWith('escalation')).map(({ reason }) => reason),
    ).toEqual([...Array(4).fill('pager: the pager is away'), 'by pager']);
  });

  it('is not told any more when it is decided', async () => {
    const { told, notifier } = recorded(() => {
      throw new Error('away');
    });
    const { world, process, pause } = await pausedTask('read', { notifiers: [notifier] });
    await using _ = world;
    await vi.waitFor(() => expect(told).toHaveLength(1));
    await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' });
    world.clock.skip(3_600_000);
    await process.outlive.maintain();
    expect(told).toHaveLength(1);
  });

  it('is told by another process when the one that began to has died', async () => {
    const { told, notifier } = recorded();
    const hangs: Notifier = { name: 'pager', notify: never };
    const { world, process } = await pausedTask('read', { notifiers: [hangs] });
    await using _ = world;
    await vi.waitFor(async () => {
      for await (const pause of process.outlive.waitingPauses())
        expect(pause.notices).toMatchObject([{ status: 'sending' }]);
    });
    process.kill();
    const other = world.start({ notifiers: [notifier] });
    expect(await other.outlive.maintain()).toMatchObject({ noticesSent: 0 });
    world.clock.skip(30_000);
    expect(await other.outlive.maintain()).toMatchObject({ noticesSent: 1 });
    expect(told).toHaveLength(1);
  });

  it('is told by maintenance when its process died between pausing the task and writing the pause', async () => {
    const { told, notifier } = recorded();
    const { world, process, task, call } = await taskWithCall('read', { notifiers: [notifier] });
    await using _ = world;
    world.turn('revoked');
    process.store.intercept((store, proceed) =>
      store.index?.kind === 'pause' ? never() : proceed(),
    );
    call.principal.fetch('items').catch(() => undefined);
    await vi.waitFor(() => expect(task.status).toBe('paused'));
    process.kill();
    world.clock.skip(5000);
    const other = world.start();
    await other.outlive.maintain();
    await vi.waitFor(() => expect(told).toHaveLength(1));
    expect(told[0]?.notice.roles).toEqual(['admin']);
  });
});

describe('a webhook', () => {
  it('carries what a Standard Webhooks library verifies, and a forged body what it refuses', async () => {
    await using receiver = await startReceiver();
    const { world, pause } = await pausedTask('read', {
      notifiers: [webhookNotifier({ url: receiver.url, secret })],
    });
    await using _ = world;
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1));
    const { headers = {}, body = '' } = receiver.received[0] ?? {};
    const library = new Webhook(secret);
    expect(library.verify(body, headers)).toMatchObject({
      type: 'outlive.escalation',
      data: { pauseId: pause.id, roles: ['user'] },
    });
    expect(() => library.verify(body.replace('"user"', '"admin"'), headers)).toThrow();
    const old = { ...headers, 'webhook-timestamp': '1000000000' };
    expect(() => library.verify(body, old)).toThrow();
    const another = new Webhook(`whsec_${Buffer.alloc(32, 8).toString('base64')}`);
    expect(() => another.verify(body, headers)).toThrow();
    for (const token of world.issuer.issuedTokens()) expect(body).not.toContain(token.value);
  });

  it.each([302, 400, 401, 410, 500, 503])(
    'that is answered with %i is sent again with the same id and a new signature',
    async (status) => {
      let answer = status;
      await using receiver = await startReceiver(() => answer);
      const { world, process } = await pausedTask('read', {
        notifiers: [webhookNotifier({ url: receiver.url, secret })],
      });
      await using _ = world;
      await vi.waitFor(async () => {
        for await (const pause of process.outlive.waitingPauses())
          expect(pause.notices).toMatchObject([{ status: 'due', attempts: 1 }]);
      });
      answer = 200;
      world.clock.skip(10_000);
      expect(await process.outlive.maintain()).toMatchObject({ noticesSent: 1 });
      const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
      expect(ids).toHaveLength(2);
      expect(new Set(ids).size).toBe(1);
    },
  );

  it.each<[string, Partial<WebhookNotifierOptions>, string]>([
    ['plain http', { url: 'http://example.com/hook' }, 'url'],
    ['no URL', { url: '/hook' }, 'url'],
    ['a secret without its prefix', { secret: Buffer.alloc(32).toString('base64') }, 'secret'],
    ['a short secret', { secret: new Uint8Array(16) }, 'secret'],
    ['a secret that is no base64', { secret: 'whsec_===' }, 'secret'],
  ])('names what is wrong with %s', (_what, change, path) => {
    const options = { url: 'https://example.com/hook', secret, ...change };
    expect(() => webhookNotifier(options)).toThrow(
      expect.objectContaining({ name: 'ConfigurationError', paths: [path] }),
    );
  });
});

describe('the console notifier', () => {
  it('prints one line', async () => {
    const lines: string[] = [];
    const { world, pause, task } = await pausedTask('irreversible', {
      notifiers: [consoleNotifier({ print: (line) => lines.push(line) })],
    });
    await using _ = world;
    await vi.waitFor(() =>
      expect(lines).toEqual([
        `outlive: task ${task.id} of agent waits for user and admin: items (irreversible), step_up_required; pause ${pause.id}`,
      ]),
    );
  });
});
