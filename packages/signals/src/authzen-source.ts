import { ConfigurationError, type GateSource, type Principal } from '@outlive/core';
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
import { fetchWellKnown, wellKnownUrl } from './well-known.ts';

/** An AuthZEN evaluation request (Authorization API 1.0 section 6). */
export interface EvaluationRequest {
  readonly subject: { readonly type: string; readonly id: string; readonly properties?: object };
  readonly action: { readonly name: string; readonly properties?: object };
  readonly resource: { readonly type: string; readonly id: string; readonly properties?: object };
  readonly context?: object;
}

/** Options of {@link authzenSource}: `decisionPoint`, or `endpoint`. */
export interface AuthzenSourceOptions extends SourceOptions {
  /**
   * Identifier of the decision point: `https://pdp.example`. Its endpoint is found through
   * `/.well-known/authzen-configuration` (Authorization API 1.0 section 9).
   */
  readonly decisionPoint?: string;
  /** Access evaluation endpoint of one that publishes no metadata: `https://pdp.example/access/v1/evaluation`. */
  readonly endpoint?: string;
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
    decisionPoint: secureUrlSchema.optional(),
    endpoint: secureUrlSchema.optional(),
    authorization: credentialsSchema.optional(),
    evaluation: functionSchema,
    whenDenied: deniedStateSchema.optional(),
    fetch: functionSchema.optional(),
  };
  checkSource(fields, options, 'authzenSource');
  const { authorization, evaluation, whenDenied = 'paused' } = options;
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const endpoint = endpointOf(options, fetch);

  return createSource(options, 'authzen', async (principal, { signal }) => {
    const { status, body } = await requestJson({
      url: await endpoint.current(signal),
      fetch,
      method: 'POST',
      signal,
      authorization,
      headers: { 'x-request-id': crypto.randomUUID() },
      body: await evaluation(principal),
    });
    if (status !== 200) {
      // It may have moved: the next question asks where it is.
      endpoint.forget();
      throw new SignalError('refused', {
        problem: `the decision point answered with ${status}`,
        status,
      });
    }
    const { decision } = Object(body) as { readonly decision?: unknown };
    if (typeof decision !== 'boolean')
      throw new SignalError('malformed', { problem: 'the answer holds no decision' });
    return decision ? 'active' : whenDenied;
  });
}

const metadataSchema = z.looseObject({
  policy_decision_point: z.string(),
  access_evaluation_endpoint: secureUrlSchema,
});

/** Where to ask: what the app says, or what the decision point says of itself, read when it is needed. */
function endpointOf(
  { decisionPoint, endpoint }: AuthzenSourceOptions,
  fetch: typeof globalThis.fetch,
): { current(signal: AbortSignal): Promise<string>; forget(): void } {
  if ((decisionPoint === undefined) === (endpoint === undefined))
    throw new ConfigurationError(
      'authzenSource: decisionPoint: expected either a decisionPoint or an endpoint',
      ['decisionPoint'],
    );
  let known = endpoint;
  return {
    async current(signal) {
      // Each asks for itself: a request that hangs holds up nobody who comes later.
      known ??= await discover(decisionPoint ?? '', fetch, signal);
      return known;
    },
    forget() {
      known = endpoint;
    },
  };
}

/** @throws {SignalError} when the metadata cannot be had, or is another decision point's. */
async function discover(
  decisionPoint: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<string> {
  const url = wellKnownUrl(decisionPoint, 'authzen-configuration', 'before path');
  const metadata = await fetchWellKnown({ url, fetch, signal }, metadataSchema);
  if (metadata.policy_decision_point !== decisionPoint)
    throw new SignalError('malformed', {
      problem: 'the metadata is that of another decision point',
    });
  return metadata.access_evaluation_endpoint;
}
