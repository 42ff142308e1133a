import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, inject, it } from 'vitest';
import { callingVersion } from './ai-caller.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The version of `ai` that the tests of a project run on. */
    readonly aiVersion: string;
  }
}

it('the version of ai that a project is named after is the one that its tests run on', async () => {
  expect(await callingVersion()).toBe(`ai/${inject('aiVersion')}`);
});

it('and so do the processes that they start', () => {
  const script = fileURLToPath(new URL('ai-caller.ts', import.meta.url));
  const printed = execFileSync(process.execPath, [script], { encoding: 'utf8' });
  expect(printed.trim()).toBe(`ai/${inject('aiVersion')}`);
});
