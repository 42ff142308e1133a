import * as oidc from 'openid-client';
import type { TokenOutcome } from './issuer.ts';
import { Secret } from './secret.ts';

/** How a person authorizes who is not in the app's browser: at a device page, or on their phone. */
export type DecoupledFlow = 'device' | 'backchannel';

/** What is asked of the person. */
export interface DecoupledRequest {
  readonly flow: DecoupledFlow;
  readonly scopes: readonly string[];
  /** RFC 8707 resource indicators. */
  readonly resources?: readonly string[];
  /** Who is asked; `backchannel` needs it. */
  readonly loginHint?: string;
  /** Shown on the person's phone; `backchannel` alone. */
  readonly bindingMessage?: string;
}

/** What the issuer answered to a start. */
export interface DecoupledStart {
  /** What is polled with: the `device_code` or the `auth_req_id`. */
  readonly code: Secret;
  readonly expiresInMs: number;
  readonly intervalMs: number;
  /** What the person needs; `device` alone. */
  readonly page?: {
    readonly userCode: string;
    readonly url: string;
    readonly completeUrl: string | undefined;
  };
}

/** A token outcome, or that the person has not answered yet. */
export type DecoupledOutcome =
  | TokenOutcome
  | { readonly outcome: 'pending' /** RFC 8628 section 3.5. */; readonly slowDown: boolean };

const defaultIntervalSeconds = 5;
const defaultExpirySeconds = 600;

/** Starts the device flow (RFC 8628 section 3.1) or a backchannel authentication (OpenID CIBA Core 1.0 section 7). */
export async function startDecoupled(
  configuration: oidc.Configuration,
  request: DecoupledRequest,
): Promise<DecoupledStart> {
  const { flow, scopes, resources = [], loginHint, bindingMessage } = request;
  const parameters = new URLSearchParams({ scope: scopes.join(' ') });
  for (const resource of resources) parameters.append('resource', resource);
  if (flow === 'backchannel') {
    if (loginHint !== undefined) parameters.set('login_hint', loginHint);
    if (bindingMessage !== undefined) parameters.set('binding_message', bindingMessage);
    const started = await oidc.initiateBackchannelAuthentication(configuration, parameters);
    return { code: new Secret(started.auth_req_id), ...timesOf(started) };
  }
  const started = await oidc.initiateDeviceAuthorization(configuration, parameters);
  return {
    code: new Secret(started.device_code),
    ...timesOf(started),
    page: {
      userCode: started.user_code,
      url: started.verification_uri,
      completeUrl: started.verification_uri_complete,
    },
  };
}

/** The token request that asks once whether the person has answered. */
export function pollParameters(
  flow: DecoupledFlow,
  code: Secret,
): { readonly grantType: string; readonly parameters: Readonly<Record<string, string>> } {
  return flow === 'device'
    ? {
        grantType: 'urn:ietf:params:oauth:grant-type:device_code',
        parameters: { device_code: code.reveal() },
      }
    : {
        grantType: 'urn:openid:params:grant-type:ciba',
        parameters: { auth_req_id: code.reveal() },
      };
}

/** What the answer to such a request means: of some errors the person has only not come to it yet, or has said no. */
export function pollOutcome(outcome: TokenOutcome): DecoupledOutcome {
  if (outcome.outcome !== 'unknown') return outcome;
  switch (outcome.error) {
    case 'authorization_pending':
      return { outcome: 'pending', slowDown: false };
    case 'slow_down':
      return { outcome: 'pending', slowDown: true };
    case 'access_denied':
    case 'expired_token':
      return { outcome: 'rejected', kind: 'reauthorization_required', error: outcome.error };
    default:
      return outcome;
  }
}

function timesOf(answer: {
  readonly expires_in?: number;
  readonly interval?: number;
}): Pick<DecoupledStart, 'expiresInMs' | 'intervalMs'> {
  return {
    expiresInMs: (answer.expires_in ?? defaultExpirySeconds) * 1000,
    intervalMs: (answer.interval ?? defaultIntervalSeconds) * 1000,
  };
}
