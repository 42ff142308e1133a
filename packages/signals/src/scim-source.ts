import { checkOptions, type GateSource, type Principal, type UserState } from '@outlive/core';
import * as z from 'zod';
import { requestJson } from './json-request.ts';
import { secureUrlSchema } from './receiver-options.ts';
import { SignalError } from './signal-error.ts';
import { deniedStateSchema, type SourceOptions, sourceFields } from './source-options.ts';

/** Options of {@link scimSource}. */
export interface ScimSourceOptions extends SourceOptions {
  /** Base URL of the service, up to `/Users`. */
  readonly baseUrl: string;
  /** The `Authorization` header it wants; a function is asked before each request. */
  readonly authorization?: string | (() => string | Promise<string>);
  /** The SCIM id of a principal. Default: its subject. */
  readonly userId?: (principal: Principal) => string | Promise<string>;
  /** What a user who is not `active` is. Default `paused`: SCIM lets an account come back. */
  readonly whenInactive?: Exclude<UserState, 'active' | 'unknown'>;
  /** What a user who is not there is. Default `revoked`. */
  readonly whenMissing?: Exclude<UserState, 'active'>;
}

/**
 * A gate source that reads a user's `active` from a SCIM 2.0 service (RFC 7643 section 4.1.1, RFC 7644 section 3.4.1).
 * Anything but a clear answer is silence, which denies.
 *
 * @throws {ConfigurationError} naming every wrong option.
 */
export function scimSource(options: ScimSourceOptions): GateSource {
  const schema = z.strictObject({
    ...sourceFields,
    baseUrl: secureUrlSchema,
    userId: z.custom((value) => typeof value === 'function').optional(),
    whenInactive: deniedStateSchema.optional(),
    whenMissing: z.union([deniedStateSchema, z.literal('unknown')]).optional(),
  });
  checkOptions(schema, options, 'scimSource');
  const { name = 'scim', whenInactive = 'paused', whenMissing = 'revoked', appliesTo } = options;
  const base = options.baseUrl.replace(/\/$/, '');
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const userId = options.userId ?? (({ subject }: Principal) => subject);

  return {
    name,
    ...(appliesTo === undefined ? {} : { appliesTo }),
    async check(principal, { signal }) {
      const { authorization } = options;
      const credentials =
        typeof authorization === 'function' ? await authorization() : authorization;
      const { status, body } = await requestJson({
        url: `${base}/Users/${encodeURIComponent(await userId(principal))}?attributes=active`,
        fetch,
        signal,
        headers: {
          accept: 'application/scim+json',
          ...(credentials === undefined ? {} : { authorization: credentials }),
        },
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
    },
  };
}
