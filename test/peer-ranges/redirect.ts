// Preloaded into the processes that tests start: their imports of a framework lead to another version of it. Its query
// says which: `?ai=ai-6&from=file:///…/package.json`, the alias of the version and who has it.
import { registerHooks } from 'node:module';

const { from, ...aliases } = Object.fromEntries(new URL(import.meta.url).searchParams);

registerHooks({
  resolve(specifier, context, nextResolve) {
    const alias = aliases[specifier];
    if (alias === undefined || from === undefined) return nextResolve(specifier, context);
    return nextResolve(alias, { ...context, parentURL: from });
  },
});
