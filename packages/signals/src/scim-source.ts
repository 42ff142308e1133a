import type { GateSource, Principal } from '@outlive/core';
import * as z from 'zod';
import { type Credentials, requestJson } from './json-request.ts';
import { credentialsSchema, secureUrlSchema } from './receiver-options.ts';
import { SignalError } from './signal-error.ts';
import {
  checkSource,
  createSource,
  type DeniedState,
  deniedStateSchema,
  functionSchema,
  type SourceOptions,
} from './source-options.ts';

/** Options of {@link scimSource}. */
export interface ScimSourceOptions extends SourceOptions {
  /** Base URL of the service, up to `/Users`. */
  readonly baseUrl: string;
  /** The `Authorization` header it wants; a function is asked before each request. */
  readonly authorization?: Credentials;
  /** The SCIM id of a principal. Default: its subject. */
  readonly userId?: (principal: Principal) => string | Promise<string>;
  /** What a user who is not `active` is. Default `paused`: SCIM lets an account come back. */
  readonly whenInactive?: DeniedState;
  /** What a user who is not there is. Default `revoked`. */
  readonly whenMissing?: DeniedState | 'unknown';
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * A gate source that reads a user's `active` from a SCIM 2.0 service (RFC 7643 section 4.1.1, RFC 7644 section 3.4.1).
 * Anything but a clear answer is silence, which denies.
 *
 * @throws {ConfigurationError} naming every wrong option.
 */
export function scimSource(options: ScimSourceOptions): GateSource {
  const fields = {
    baseUrl: secureUrlSchema,
    authorization: credentialsSchema.optional(),
    userId: functionSchema.optional(),
    whenInactive: deniedStateSchema.optional(),
    whenMissing: z.union([deniedStateSchema, z.literal('unknown')]).optional(),
    fetch: functionSchema.optional(),
  };
  checkSource(fields, options, 'scimSource');
  const { authorization, whenInactive = 'paused', whenMissing = 'revoked' } = options;
  const base = options.baseUrl.replace(/\/$/, '');
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const userId = options.userId ?? (({ subject }: Principal) => subject);

  return createSource(options, 'scim', async (principal, { signal }) => {
    const { status, body } = await requestJson({
      url: `${base}/Users/${encodeURIComponent(await userId(principal))}?attributes=active`,
      fetch,
      signal,
      authorization,
      headers: { accept: 'application/scim+json' },
    });
    if (status === 404) return whenMissing;
    if (status !== 200)
      throw new SignalError('refused', {
        problem: `the directory answered with ${status}`,
        status,
      });
    const { active } = Object(body) as { readonly active?: unknown };
    if (typeof active !== 'boolean')
      throw new SignalError('malformed', { problem: 'the user has no `active`' });
    return active ? 'active' : whenInactive;
  });
}
