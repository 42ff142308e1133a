import { checkOptions, type GateSource, type Principal, type UserState } from '@outlive/core';
import * as z from 'zod';
import { requestJson } from './json-request.ts';
import { secureUrlSchema } from './receiver-options.ts';
import { SignalError } from './signal-error.ts';
import { deniedStateSchema, type SourceOptions, sourceFields } from './source-options.ts';

/** An AuthZEN evaluation request (Authorization API 1.0 section 6). */
export interface EvaluationRequest {
  readonly subject: { readonly type: string; readonly id: string; readonly properties?: object };
  readonly action: { readonly name: string; readonly properties?: object };
  readonly resource: { readonly type: string; readonly id: string; readonly properties?: object };
  readonly context?: object;
}

/** Options of {@link authzenSource}. */
export interface AuthzenSourceOptions extends SourceOptions {
  /** Access evaluation endpoint of the decision point: `https://pdp.example/access/v1/evaluation`. */
  readonly endpoint: string;
  /** The `Authorization` header it wants; a function is asked before each request. */
  readonly authorization?: string | (() => string | Promise<string>);
  /** The question about a principal: may an agent act for them? */
  readonly evaluation: (principal: Principal) => EvaluationRequest | Promise<EvaluationRequest>;
  /** What a decision of `false` means. Default `paused`. */
  readonly whenDenied?: Exclude<UserState, 'active' | 'unknown'>;
}

/**
 * A gate source that asks a policy decision point (AuthZEN Authorization API 1.0). Only a clear `true` is `active`;
 * anything but a decision is silence, which denies.
 *
 * @throws {ConfigurationError} naming every wrong option.
 */
export function authzenSource(options: AuthzenSourceOptions): GateSource {
  const schema = z.strictObject({
    ...sourceFields,
    endpoint: secureUrlSchema,
    evaluation: z.custom((value) => typeof value === 'function', 'expected a function'),
    whenDenied: deniedStateSchema.optional(),
  });
  checkOptions(schema, options, 'authzenSource');
  const { name = 'authzen', endpoint, evaluation, whenDenied = 'paused', appliesTo } = options;
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);

  return {
    name,
    ...(appliesTo === undefined ? {} : { appliesTo }),
    async check(principal, { signal }) {
      const { authorization } = options;
      const credentials =
        typeof authorization === 'function' ? await authorization() : authorization;
      const { status, body } = await requestJson({
        url: endpoint,
        fetch,
        method: 'POST',
        signal,
        body: await evaluation(principal),
        headers: {
          'x-request-id': crypto.randomUUID(),
          ...(credentials === undefined ? {} : { authorization: credentials }),
        },
      });
      if (status !== 200)
        throw new SignalError('refused', {
          problem: `the decision point answered with ${status}`,
          status,
        });
      const { decision } = Object(body) as { readonly decision?: unknown };
      if (typeof decision !== 'boolean')
        throw new SignalError('malformed', { problem: 'the answer holds no decision' });
      return decision ? 'active' : whenDenied;
    },
  };
}
