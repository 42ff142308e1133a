// Preloaded into the processes that tests start: their imports of a framework lead to another version of it. Its query
// says which: `?ai=ai-6&from=file:///…/package.json`, what imports say, what they mean, and who has it.
import { registerHooks } from 'node:module';
import { redirected } from './redirected.ts';

const { from, ...packages } = Object.fromEntries(new URL(import.meta.url).searchParams);

registerHooks({
  resolve(specifier, context, nextResolve) {
    const meant = redirected(packages, specifier);
    if (meant === undefined || from === undefined) return nextResolve(specifier, context);
    return nextResolve(meant, { ...context, parentURL: from });
  },
});
