import { type Browser, chromium } from 'playwright-core';
import { installedProgram } from '../servers/installed-program.ts';

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts a browser with a profile of its own, which is removed when it closes.
 *
 * @throws Error of one line that says what to do, when there is none.
 */
export async function startChromium(): Promise<Browser> {
  const executablePath = await installedProgram({
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    debianPackage: 'chromium',
  });
  return chromium.launch({ executablePath, headless: true, args: flags });
}
