import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import {
  freeOrigin,
  type NextApp,
  startNextApp,
} from '../../examples/starter-next-chat/src/world/next-app.ts';
import { startWorld, type World } from '../../examples/starter-next-chat/src/world/world.ts';

/** Asks for a run of four calls. */
export const closeAll = 'Close the tickets that are resolved';

/** A limit for what hangs, and not a measure. */
const waitMs = 90_000;

/** What the person says at the issuer. */
type Decision = 'allow' | 'deny';

/** A person in front of the chat starter, in a world of its own. */
export interface OpenedChat extends AsyncDisposable {
  readonly page: Page;
  readonly world: World;
  readonly app: NextApp;
  /** Everything that the app has sent to the browser so far. */
  received(): Promise<string>;
  ask(text: string): Promise<void>;
  /** Presses a button of the card and does at the issuer what a person does there, in a window of its own. */
  connect(button: string, decision?: Decision): Promise<void>;
  /** The same in the window of the chat, which comes back to it: where the browser blocks pop-ups. */
  connectHere(button: string, decision?: Decision): Promise<void>;
}

/** Starts the app that was built, and opens it. */
export async function openChat(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<OpenedChat> {
  const url = await freeOrigin();
  await using opened = new AsyncDisposableStack();
  const world = opened.use(await startWorld(url));
  const app = opened.use(
    await startNextApp({ mode: 'start', url, environment: world.environment }),
  );
  const context = await browser.newContext(options);
  opened.defer(() => context.close());
  const bodies: Promise<string>[] = [];
  context.on('response', (response) => {
    if (!response.url().startsWith(url)) return;
    // A redirect has no body, and the one of a page that was left cannot be read any more.
    bodies.push(response.text().catch(() => ''));
  });
  context.setDefaultTimeout(waitMs);
  const page = await context.newPage();
  await page.goto(url);
  const all = opened.move();

  return {
    page,
    world,
    app,
    received: async () => (await Promise.all(bodies)).join('\n'),
    async ask(text) {
      await page.getByLabel('Message').fill(text);
      await page.keyboard.press('Enter');
    },
    async connect(button, decision = 'allow') {
      const opening = context.waitForEvent('page');
      await page.getByRole('button', { name: button }).click();
      const issuer = await opening;
      const closed = issuer.waitForEvent('close');
      await answerIssuer(issuer, decision);
      await closed;
    },
    async connectHere(button, decision = 'allow') {
      const chat = page.url();
      await page.getByRole('button', { name: button }).click();
      await answerIssuer(page, decision);
      await page.waitForURL(chat);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function answerIssuer(issuer: Page, decision: Decision): Promise<void> {
  if (decision === 'deny') return issuer.getByRole('button', { name: 'Deny' }).click();
  const signIn = issuer.getByRole('button', { name: 'Sign in' });
  const allow = issuer.getByRole('button', { name: 'Allow' });
  await signIn.or(allow).waitFor();
  // Who is signed in at the issuer already is asked for consent alone.
  if (await signIn.isVisible()) await signIn.click();
  await allow.click();
}

/** Connects the account for such a run, in the middle of which the issuer ends the access. */
export async function pauseMidRun(chat: OpenedChat): Promise<void> {
  await chat.ask(closeAll);
  await chat.page.getByRole('region', { name: 'Connect your support desk' }).waitFor();
  await chat.page.getByRole('button', { name: 'End access mid-run' }).click();
  await chat.page.getByRole('button', { name: 'Access ends mid-run', exact: true }).waitFor();
  await chat.connect('Connect account');
  await chat.page.getByRole('region', { name: 'Paused: the access has ended' }).waitFor();
}
