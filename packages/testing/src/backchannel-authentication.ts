import type { Provider } from 'oidc-provider';
import type { AuthorizeOptions } from './code-flow.ts';
import type { TestIssuerBehaviour } from './issuer-options.ts';

/** A request of a client that a person answers elsewhere, on a phone (OpenID CIBA Core 1.0). */
export interface BackchannelRequest {
  /** Who is asked: the login hint. */
  readonly subject: string;
  readonly bindingMessage: string | undefined;
  readonly scopes: readonly string[];
}

/** The requests that have been made, and how people answer them. */
export interface BackchannelRequests {
  /** Oldest first. */
  readonly requests: readonly BackchannelRequest[];
  /** Notes a request: `id` is the `auth_req_id`. */
  asked(id: string, request: BackchannelRequest): void;
  /** @throws {Error} when there is no such request. */
  answer(
    provider: Provider,
    behaviour: TestIssuerBehaviour,
    position: number,
    decision: NonNullable<AuthorizeOptions['decision']>,
  ): Promise<void>;
}

/** Starts without requests. */
export function createBackchannelRequests(): BackchannelRequests {
  const requests: (BackchannelRequest & { readonly id: string })[] = [];
  return {
    get requests() {
      return requests.map(({ id: _secret, ...request }) => request);
    },
    asked(id, request) {
      requests.push({ id, ...request });
    },
    async answer(provider, behaviour, position, decision) {
      const found = requests.at(position);
      if (found === undefined)
        throw new Error(`answerBackchannel: there is no request at position ${position}`);
      const request = await provider.BackchannelAuthenticationRequest.find(found.id);
      if (request === undefined) throw new Error('answerBackchannel: the request has expired');
      if (decision === 'deny') {
        request.error = 'access_denied';
        request.errorDescription = 'The user said no';
        await request.save();
        return;
      }
      const { accountId, clientId } = request;
      const grant = new provider.Grant({ accountId, clientId });
      grant.addOIDCScope(found.scopes.join(' '));
      for (const [resource, { scopes }] of Object.entries(behaviour.resources))
        grant.addResourceScope(
          resource,
          scopes.filter((scope) => found.scopes.includes(scope)),
        );
      await grant.save();
      await provider.backchannelResult(request, grant, {
        acr: undefined,
        authTime: Math.floor(Date.now() / 1000),
      });
    },
  };
}
