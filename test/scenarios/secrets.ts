import { inspect } from 'node:util';
import { AuthError } from '@outlive/core';
import type { NeutralRun } from './adapter-under-test.ts';

/**
 * Every form in which `value` might show a secret to somebody who dumps it: with hidden and nested properties,
 * as JSON, and for errors their stack.
 */
export function dump(value: unknown): string {
  if (typeof value === 'string') return value;
  const whole = { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity } as const;
  const stack = value instanceof Error ? String(value.stack) : '';
  return [inspect(value, { ...whole, showHidden: true }), json(value), stack].join('\n');
}

/** Everything that a run left behind, to be searched for tokens. */
export function leftBehind(run: NeutralRun): string {
  return [run.outcome, run.outcome.error, run.prompts, ...run.traces].map(dump).join('\n');
}

/**
 * What models, browsers and databases of the app get to see of a run: its prompts, its state, what is streamed, and
 * the text of its error. Not the pause and the ledger, which are for the app and name scopes.
 */
export function shown({ outcome, prompts, traces }: NeutralRun): string {
  const { state, answer, error } = outcome;
  const texts = [state, answer, prompts, traces].map(json);
  const message = error === undefined ? '' : `${String(error)} ${json(error)}`;
  return [...texts, message].join('\n');
}

/** Those of `secrets` that are in `text`, as they are or encoded. */
export function secretsIn(text: string | Buffer, secrets: readonly string[]): readonly string[] {
  return secrets.filter((secret) => {
    const bytes = Buffer.from(secret);
    const forms = [secret, bytes.toString('base64url'), bytes.toString('hex')];
    return forms.some((form) => text.includes(form));
  });
}

/** JSON of what may hold circles, which frameworks' results do. */
export function json(value: unknown): string {
  const above: object[] = [];
  const text = JSON.stringify(value, function (this: object, _key, item: unknown) {
    if (typeof item === 'bigint') return String(item);
    // As a logger would have it that does not know `toJSON`.
    if (item instanceof Error && !AuthError.is(item)) return `${item.name}: ${item.message}`;
    if (typeof item !== 'object' || item === null) return item;
    while (above.length > 0 && above.at(-1) !== this) above.pop();
    if (above.includes(item)) return '[circular]';
    above.push(item);
    return item;
  });
  return text ?? '';
}
