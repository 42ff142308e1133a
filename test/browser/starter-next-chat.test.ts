import { setTimeout as wait } from 'node:timers/promises';
import type { Browser, Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildNextApp } from '../../examples/starter-next-chat/src/world/next-app.ts';
import { startChromium } from './chromium.ts';
import { closeAll, type OpenedChat, openChat, pauseMidRun } from './open-chat.ts';
import { confirmAsAdmin, createOperator, reportAna } from './operator.ts';

// Limits for what hangs, and not measures: the build and the browser are slow on a busy machine.
const setUpMs = 600_000;
const timeout = 300_000;
/** After so long no process gives out a token without having listened for what others told. */
const heardWithinMs = 1000;
let browser: Browser;

beforeAll(async () => {
  await buildNextApp();
  browser = await startChromium();
}, setUpMs);
afterAll(() => browser?.close());

const closedAll = 'I closed 3 resolved tickets. Only T-104 is still open.';

describe('the chat starter in a browser', { timeout }, () => {
  it('asks to connect the account, and goes on by itself once it is connected', async () => {
    await using chat = await openChat(browser);
    const { page, world } = chat;
    await page.getByRole('button', { name: 'What is open?' }).click();
    await page.getByRole('region', { name: 'Connect your support desk' }).waitFor();
    expect(world.desk.requests).toBe(0);

    await chat.connect('Connect account');

    await page.getByText('Open now: Invoice shows the old address (T-101)').waitFor();
    expect(await states(chat)).toEqual(['List the tickets done']);
    await page.getByText('Account connected').waitFor();
    expect(world.desk.requests).toBe(1);
  });

  it('fits a phone, and leaves it when the person does not want to connect', async () => {
    const viewport = { width: 360, height: 640 };
    await using chat = await openChat(browser, { viewport, hasTouch: true });
    const { page, world } = chat;
    await chat.ask(closeAll);
    await page.getByRole('button', { name: 'Not now' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(viewport.width);

    await page.getByRole('button', { name: 'Not now' }).click();

    await page.getByText('All right, I leave it at that.').waitFor();
    await page.getByText('Left undone, as you wished').waitFor();
    expect(world.desk.requests).toBe(0);
  });

  it('keeps waiting when the issuer is told no', async () => {
    await using chat = await openChat(browser);
    await chat.ask(closeAll);

    await chat.connect('Connect account', 'deny');

    await chat.page.getByText('The account was not connected.').waitFor();
    await chat.connect('Connect account');
    await chat.page.getByText(closedAll).waitFor();
  });

  it('pauses when the access ends in the middle, and then repeats exactly the call that failed', async () => {
    await using chat = await openChat(browser);
    const { page, world } = chat;
    await pauseMidRun(chat);
    // Which of the three met the end of the access is a matter of chance.
    const stands = (await states(chat)).map((line) => line.replace(/T-10[123]/, 'a ticket'));
    expect(stands.toSorted()).toEqual([
      'Close a ticket done',
      'Close a ticket done',
      'Close a ticket waits',
      'List the tickets done',
    ]);
    expect(closedTickets(chat)).toHaveLength(2);
    const requests = world.desk.requests;

    await chat.connect('Connect again');

    await page.getByText(closedAll).waitFor();
    expect(world.desk.requests).toBe(requests + 1);
    expect(closedTickets(chat).toSorted()).toEqual(['T-101', 'T-102', 'T-103']);
    const received = await chat.received();
    expect(received).toContain('data-auth-interrupt');
    for (const { value } of world.issuer.issuedTokens()) expect(received).not.toContain(value);
  });

  it('leaves the waiting call when the person declines, tells the model, and keeps what was done', async () => {
    await using chat = await openChat(browser);
    await pauseMidRun(chat);
    const requests = chat.world.desk.requests;

    await chat.page.getByRole('button', { name: 'Leave it' }).click();

    // The model says so: it has read that two of its calls were done, and that one was declined.
    await chat.page.getByText('I closed 2 resolved tickets and left 1, as you wished.').waitFor();
    await chat.page.getByText('Left undone, as you wished').waitFor();
    expect(await states(chat)).toContainEqual(expect.stringMatching(/^Close T-10\d left$/));
    expect(chat.world.desk.requests).toBe(requests);
  });

  it('waits for somebody else where the person cannot confirm, and goes on when those have', async () => {
    await using chat = await openChat(browser);
    const { page, world } = chat;
    await using operator = createOperator(world);
    const card = await pausedForAdmin(chat, operator);
    await card.getByText(/waits? for: admin\.$/).waitFor();
    expect(await card.getByRole('button', { name: /onnect/ }).count()).toBe(0);
    await reportAna(operator, 'active');
    await card.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Tried again').waitFor();
    await card.waitFor();
    expect(world.desk.requests).toBe(1);

    await confirmAsAdmin(operator);
    await card.getByRole('button', { name: 'Try again' }).click();
    await page.getByText(closedAll).waitFor();
    expect(closedTickets(chat).toSorted()).toEqual(['T-101', 'T-102', 'T-103']);
  });

  it('leaves the work when the person declines what somebody else would have to confirm', async () => {
    await using chat = await openChat(browser);
    const { page, world } = chat;
    await using operator = createOperator(world);
    const card = await pausedForAdmin(chat, operator);
    await card.getByRole('button', { name: 'Leave it' }).click();
    await page.getByText('All right, I leave it at that.').waitFor();
    expect(world.desk.requests).toBe(1);
  });

  it('connects in its own window where the browser blocks pop-ups', async () => {
    await using chat = await openChat(browser);
    const { page, world } = chat;
    // What a browser answers that blocks them.
    await page.addInitScript('window.open = () => null');
    await page.reload();
    await chat.ask(closeAll);

    await chat.connectHere('Connect account', 'deny');
    await page.getByText('The account was not connected.').waitFor();
    expect(world.desk.requests).toBe(0);

    world.revokeMidRun();
    await chat.connectHere('Connect account');
    await page.getByRole('region', { name: 'Paused: the access has ended' }).waitFor();
    await chat.connectHere('Connect again');
    await page.getByText(closedAll).waitFor();
    expect(closedTickets(chat).toSorted()).toEqual(['T-101', 'T-102', 'T-103']);
  });

  it('takes no link to it for an answer', async () => {
    await using chat = await openChat(browser);
    const { page } = chat;
    await pauseMidRun(chat);
    const sent: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST') sent.push(request.url());
    });

    await page.goto(`${page.url()}?status=connected`);
    // The address is put right by the same code that would answer.
    await page.waitForURL((url) => url.search === '');
    await page.waitForLoadState('networkidle');
    await page.getByRole('region', { name: 'Paused: the access has ended' }).waitFor();
    expect(sent).toEqual([]);
  });

  it('still waits after a reload and a restart of the app, and goes on from there', async () => {
    await using chat = await openChat(browser);
    const { page, app } = chat;
    await pauseMidRun(chat);

    await app.restart();
    await page.reload();
    await page.getByRole('region', { name: 'Paused: the access has ended' }).waitFor();
    await chat.connect('Connect again');

    await page.getByText(closedAll).waitFor();
    expect(closedTickets(chat).toSorted()).toEqual(['T-101', 'T-102', 'T-103']);
    await page.reload();
    await page.getByText(closedAll).waitFor();
  });

  it('gives up what waits when the person types instead of answering', async () => {
    await using chat = await openChat(browser);
    const { page } = chat;
    await pauseMidRun(chat);

    await chat.ask('What is open?');
    await page.getByRole('region', { name: 'Connect your support desk' }).waitFor();
    await page.getByText('You went on without answering').waitFor();
    await chat.connect('Connect account');

    await page.getByText(/^Open now: .*Cannot add a second seat \(T-104\)/).waitFor();
    expect(closedTickets(chat)).toHaveLength(2);
  });
});

/** A run in the middle of which Ana's access is put on hold; its card. */
async function pausedForAdmin(
  chat: OpenedChat,
  operator: ReturnType<typeof createOperator>,
): Promise<Locator> {
  await chat.ask(closeAll);
  chat.world.desk.atRequest(1, async () => {
    await reportAna(operator, 'paused');
    await wait(heardWithinMs);
  });
  await chat.connect('Connect account');
  return chat.page.getByRole('region', { name: 'Paused: somebody has to confirm' });
}

async function states({ page }: OpenedChat): Promise<string[]> {
  const lines = await page.locator('.call').allInnerTexts();
  return lines.map((line) => line.replaceAll(/\s+/g, ' ').trim());
}

function closedTickets({ world }: OpenedChat): string[] {
  return world.desk.accepted
    .filter(({ method }) => method === 'POST')
    .map(({ path }) => path.split('/')[2] ?? '');
}
