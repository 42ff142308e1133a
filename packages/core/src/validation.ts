import * as z from 'zod';
import { ConfigurationError } from './errors.ts';

/** A principal as callers pass it. */
export const principalSchema: z.ZodType<{
  issuer?: string | undefined;
  subject: string;
  tenant?: string | undefined;
}> = z.strictObject({
  issuer: z.string().min(1).optional(),
  subject: z.string().min(1),
  tenant: z.string().min(1).optional(),
});

/**
 * Checks `value` and returns it as it came.
 *
 * @throws {ConfigurationError} naming, for every wrong field, its path, what was expected and what came.
 */
export function checked<T>(schema: z.ZodType, value: T, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return value;
  const issues = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: 'is not an option' }))
      : [{ path: issue.path, message: `${issue.message}; got ${shown(value, issue.path)}` }],
  );
  const paths = issues.map(({ path }) => path.map(String).join('.'));
  const lines = issues.map(({ message }, at) => `${paths[at] || '(the whole)'}: ${message}`);
  throw new ConfigurationError(`${what}: ${lines.join('\n  ')}`, paths);
}

/** What came, short, and without the values of fields that may be secret. */
function shown(value: unknown, path: readonly PropertyKey[]): string {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null) return 'nothing';
    current = (current as Record<PropertyKey, unknown>)[part];
  }
  if (current === undefined) return 'nothing';
  if (current === null) return 'null';
  const isSecret = path.some((part) => /secret|token|key|session/i.test(String(part)));
  if (typeof current === 'string')
    return isSecret ? 'a text' : JSON.stringify(withoutCredentials(current).slice(0, 80));
  if (typeof current === 'number' || typeof current === 'boolean')
    return isSecret ? `a ${typeof current}` : String(current);
  return Array.isArray(current) ? 'an array' : `a ${typeof current}`;
}

/** URLs carry secrets in two places: before the host, and in the query; also those that lack their beginning. */
function withoutCredentials(text: string): string {
  return text.replace(/:\/\/[^/?#]*@/, '://…@').replace(/[?#].*$/s, '?…');
}
