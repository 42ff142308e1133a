import type { GateSource, Principal } from '@outlive/core';
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
  readonly authorization?: Credentials;
  /** The question about a principal: may an agent act for them? */
  readonly evaluation: (principal: Principal) => EvaluationRequest | Promise<EvaluationRequest>;
  /** What a decision of `false` means. Default `paused`. */
  readonly whenDenied?: DeniedState;
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * A gate source that asks a policy decision point (AuthZEN Authorization API 1.0). Only a clear `true` is `active`;
 * anything but a decision is silence, which denies.
 *
 * @throws {ConfigurationError} naming every wrong option.
 */
export function authzenSource(options: AuthzenSourceOptions): GateSource {
  const fields = {
    endpoint: secureUrlSchema,
    authorization: credentialsSchema.optional(),
    evaluation: functionSchema,
    whenDenied: deniedStateSchema.optional(),
    fetch: functionSchema.optional(),
  };
  checkSource(fields, options, 'authzenSource');
  const { endpoint, authorization, evaluation, whenDenied = 'paused' } = options;
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);

  return createSource(options, 'authzen', async (principal, { signal }) => {
    const { status, body } = await requestJson({
      url: endpoint,
      fetch,
      method: 'POST',
      signal,
      authorization,
      headers: { 'x-request-id': crypto.randomUUID() },
      body: await evaluation(principal),
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
  });
}
