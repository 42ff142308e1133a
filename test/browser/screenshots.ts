// Takes the pictures of docs/guides/chat-ui.md anew: `node test/browser/screenshots.ts`.
import { mkdirSync } from 'node:fs';
import type { BrowserContextOptions } from 'playwright-core';
import { buildNextApp } from '../../examples/starter-next-chat/src/world/next-app.ts';
import { startChromium } from './chromium.ts';
import { type OpenedChat, openChat, pauseMidRun } from './open-chat.ts';

const folder = new URL('../../docs/images/', import.meta.url).pathname;
const desktop = { viewport: { width: 720, height: 760 }, deviceScaleFactor: 1.5 };
const phone = { viewport: { width: 375, height: 620 }, deviceScaleFactor: 1.5, hasTouch: true };

mkdirSync(folder, { recursive: true });
await buildNextApp();
await using browser = await startChromium();
for (const colorScheme of ['light', 'dark'] as const) {
  await take(`chat-connect-${colorScheme}`, { ...phone, colorScheme }, async (chat) => {
    await chat.ask('What is open?');
    await chat.page.getByRole('button', { name: 'Connect account' }).waitFor();
  });
  await take(`chat-paused-${colorScheme}`, { ...desktop, colorScheme }, pauseMidRun);
}

async function take(
  name: string,
  options: BrowserContextOptions,
  act: (chat: OpenedChat) => Promise<void>,
): Promise<void> {
  await using chat = await openChat(browser, options);
  await act(chat);
  await chat.page.evaluate('document.activeElement?.blur()');
  await chat.page.screenshot({ path: `${folder}${name}.png`, animations: 'disabled' });
  console.log(`${name}.png`);
}
