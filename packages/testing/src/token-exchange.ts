import { errors, type Provider } from 'oidc-provider';
import type { Actor } from './access-token-facts.ts';
import { assertIdentity, assertionType } from './identity-assertion.ts';
import { wholeSeconds } from './issuer-options.ts';
import { type IssuerParts, resourceServer, tokenExchangeGrant } from './issuer-provider.ts';
import { proofReader } from './token-request-proof.ts';

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

/** The parameter by which this issuer lets itself be asked for a lifetime; RFC 8693 has none. Seconds. */
const lifetimeParameter = 'requested_expires_in';

interface ExchangeParameters {
  readonly subject_token?: string;
  readonly subject_token_type?: string;
  readonly actor_token?: string;
  readonly actor_token_type?: string;
  readonly requested_token_type?: string;
  readonly resource?: string;
  readonly audience?: string;
  readonly scope?: string;
  readonly requested_expires_in?: string;
}

type AccessToken = InstanceType<Provider['AccessToken']>;

/** Teaches the issuer token exchange (RFC 8693): from a user's access token to a narrower one that names its actor. */
export function registerTokenExchange(provider: Provider, parts: IssuerParts): void {
  const { behaviour, ledger, users, actors } = parts;
  const thumbprintOf = proofReader(parts);

  provider.registerGrantType(
    tokenExchangeGrant,
    async (context) => {
      ledger.counters.exchanges += 1;
      const { client } = context.oidc;
      const parameters = context.oidc.params as ExchangeParameters;
      if (parameters.requested_token_type === assertionType) {
        const { assertion, expiresIn } = await assertIdentity(parts, {
          ...parameters,
          clientId: client.clientId,
        });
        context.body = {
          access_token: assertion,
          issued_token_type: assertionType,
          token_type: 'N_A',
          expires_in: expiresIn,
        };
        ledger.counters.exchanged += 1;
        return;
      }
      checkTypes(parameters);
      const subject = await subjectOf(parameters);
      const thumbprint = await thumbprintOf(context);
      if (subject.jkt !== undefined && subject.jkt !== thumbprint)
        throw new errors.InvalidRequest('the subject token is bound to another key');
      const { act: before } = (subject.extra ?? {}) as { readonly act?: Actor };
      const actor: Actor = {
        sub: await actorOf(parameters, client.clientId),
        ...(before === undefined ? {} : { act: before }),
      };
      const { indicator, scopes } = await targetOf(parameters, subject);

      const token = new provider.AccessToken({
        accountId: subject.accountId,
        client,
        grantId: await grantFor(subject, client.clientId, indicator, scopes),
        gty: tokenExchangeGrant,
        scope: scopes.join(' '),
        expiresIn: lifetimeSeconds(parameters),
        resourceServer: new provider.ResourceServer(
          indicator,
          resourceServer(behaviour, indicator),
        ),
      });
      if (thumbprint !== undefined) token.setThumbprint('jkt', thumbprint);
      actors.set(token, actor);
      context.oidc.entity('AccessToken', token);
      context.body = {
        access_token: await token.save(),
        issued_token_type: accessTokenType,
        token_type: token.tokenType,
        expires_in: token.expiration,
        scope: token.scope,
      };
      ledger.counters.exchanged += 1;
    },
    [
      'subject_token',
      'subject_token_type',
      'actor_token',
      'actor_token_type',
      'requested_token_type',
      'resource',
      'audience',
      'scope',
      lifetimeParameter,
    ],
  );

  /** RFC 8693 section 2.2.2: an unusable subject token is an `invalid_request`. */
  async function subjectOf({
    subject_token: value = '',
  }: ExchangeParameters): Promise<AccessToken> {
    const subject = await provider.AccessToken.find(value);
    const grant = subject && (await provider.Grant.find(subject.grantId));
    if (!subject || !grant) throw new errors.InvalidRequest('the subject token is not good');
    if (!users.isActive(subject.accountId))
      throw new errors.InvalidRequest('the subject is not active');
    return subject;
  }

  async function actorOf({ actor_token: value }: ExchangeParameters, own: string): Promise<string> {
    if (value === undefined) return own;
    const token = await provider.ClientCredentials.find(value);
    if (!token) throw new errors.InvalidRequest('the actor token is not good');
    return String(token.clientId);
  }

  /** The one resource that the new token is for, and its scopes: at most what the user granted there. */
  async function targetOf(
    { resource, audience, scope }: ExchangeParameters,
    subject: AccessToken,
  ): Promise<{ indicator: string; scopes: readonly string[] }> {
    const indicator = resource ?? audience;
    if (indicator === undefined || !behaviour.resources[indicator])
      throw new errors.InvalidTarget();
    const grant = await provider.Grant.find(subject.grantId);
    const granted = (grant?.getResourceScope(indicator) ?? '').split(' ').filter(Boolean);
    const scopes = scope === undefined ? granted : scope.split(' ');
    const beyond = scopes.filter((one) => !granted.includes(one));
    if (beyond.length > 0 || scopes.length === 0)
      throw new errors.InvalidScope('not granted by the subject', beyond.join(' '));
    return { indicator, scopes };
  }

  /** A grant of its own lets the token be revoked without ending what the user has. */
  async function grantFor(
    subject: AccessToken,
    clientId: string,
    indicator: string,
    scopes: readonly string[],
  ): Promise<string> {
    if (behaviour.exchangedTokenGrant === 'subject') return subject.grantId;
    const grant = new provider.Grant({ accountId: subject.accountId, clientId });
    grant.addResourceScope(indicator, scopes.join(' '));
    return grant.save();
  }

  function lifetimeSeconds({ requested_expires_in: asked }: ExchangeParameters): number {
    const longest = wholeSeconds(behaviour.accessTokenLifetimeMs);
    return Math.max(1, Math.min(Number(asked) || longest, longest));
  }
}

function checkTypes(parameters: ExchangeParameters): void {
  const { subject_token: subject, actor_token: actor } = parameters;
  if (subject === undefined || parameters.subject_token_type !== accessTokenType)
    throw new errors.InvalidRequest(`expected a subject_token of type ${accessTokenType}`);
  if (actor !== undefined && parameters.actor_token_type !== accessTokenType)
    throw new errors.InvalidRequest(`expected an actor_token of type ${accessTokenType}`);
  if ((parameters.requested_token_type ?? accessTokenType) !== accessTokenType)
    throw new errors.InvalidRequest('expected requested_token_type to be an access token');
}
