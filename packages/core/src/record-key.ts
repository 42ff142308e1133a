import { ConfigurationError } from './errors.ts';
import type { RecordKind } from './store.ts';

/** The tenant of a principal that names none. It is written out, so that no key depends on an absent part. */
export const defaultTenant = 'default';

/**
 * The canonical key of a record: its kind, its tenant and what tells it from its siblings, each with its length
 * (in UTF-16 units) before it. Different inputs give different keys, whatever characters they hold.
 *
 * Parts that name people are hashed by the caller ({@link KeyedHash}); a key is visible to whoever reads the store.
 *
 * @throws {ConfigurationError} when the tenant is empty or a part holds half a surrogate pair, which a store could
 * not tell from another one.
 */
export function recordKey(
  kind: RecordKind,
  tenant: string | undefined,
  ...parts: readonly string[]
): string {
  if (tenant === '')
    throw new ConfigurationError('tenant: expected a name, or nothing at all; got an empty text', [
      'tenant',
    ]);
  return [kind, ...[tenant ?? defaultTenant, ...parts].map(lengthPrefixed)].join('|');
}

function lengthPrefixed(part: string, position: number): string {
  if (!part.isWellFormed()) {
    const path = position === 0 ? 'tenant' : `parts.${position - 1}`;
    throw new ConfigurationError(
      `${path}: expected well-formed Unicode text; got half a surrogate pair`,
      [path],
    );
  }
  return `${part.length}:${part}`;
}
