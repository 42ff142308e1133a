import type { Provider } from 'oidc-provider';
import { wholeSeconds } from './issuer-options.ts';
import { type IssuerParts, resourceServer } from './issuer-provider.ts';

/** What `seedGrant` puts into the issuer. */
export interface SeedGrantOptions {
  readonly subject: string;
  /** Default `agent`. */
  readonly clientId?: string;
  /** Default: every scope of the resources. */
  readonly scopes?: readonly string[];
  /** Resource indicators (RFC 8707); default the issuer's first resource. */
  readonly resources?: readonly string[];
  /** Binds the tokens to the key with this thumbprint (RFC 9449 section 6.1). */
  readonly keyThumbprint?: string;
}

/** A token response (RFC 6749 section 5.1), with a refresh token. */
export interface TokenResponse {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly token_type: string;
  /** Seconds. */
  readonly expires_in: number;
  /** Scopes of the access token, separated by spaces. */
  readonly scope: string;
}

/** A grant that exists without anybody having used a browser. */
export interface SeededGrant {
  readonly grantId: string;
  /** The access token in it is for the first of the resources. */
  readonly tokenResponse: TokenResponse;
}

/** Writes a grant, its first refresh token and an access token. */
export async function seedGrant(
  provider: Provider,
  { behaviour, scopes: ownScopes, users, ledger }: IssuerParts,
  options: SeedGrantOptions,
): Promise<SeededGrant> {
  const { subject, clientId = 'agent' } = options;
  if (!subject) throw new TypeError('seedGrant: subject must be a string that is not empty');
  const client = await provider.Client.find(clientId);
  if (!client)
    throw new TypeError(`seedGrant: clientId '${clientId}' is not a client of this issuer`);

  const resources = options.resources ?? Object.keys(behaviour.resources).slice(0, 1);
  const scopesOf = new Map(
    resources.map((resource) => [resource, knownScopes(behaviour.resources, resource)]),
  );
  const offered = new Set([...scopesOf.values()].flat());
  const scopes = options.scopes ?? [...offered];
  const unknown = scopes.filter((scope) => !offered.has(scope) && !ownScopes.includes(scope));
  if (unknown.length > 0) {
    throw new TypeError(
      `seedGrant: scopes must be among ${[...offered].join(', ')}, not ${unknown.join(', ')}`,
    );
  }

  users.user(subject);
  const grant = new provider.Grant({ accountId: subject, clientId });
  grant.addOIDCScope([...ownScopes]);
  for (const [resource, offeredHere] of scopesOf) {
    grant.addResourceScope(
      resource,
      scopes.filter((scope) => offeredHere.includes(scope)),
    );
  }
  const grantId = await grant.save();

  const { keyThumbprint: jkt } = options;
  const shared = {
    accountId: subject,
    client,
    grantId,
    gty: 'authorization_code',
    claims: {},
    ...(jkt === undefined ? {} : { jkt }),
  };
  const refreshToken = new provider.RefreshToken({
    ...shared,
    scope: [...new Set([...ownScopes, ...scopes])].join(' '),
    resource: resources.length === 1 ? resources[0] : [...resources],
    authTime: Math.floor(Date.now() / 1000),
    rotations: 0,
  });
  const first = resources[0] ?? '';
  const accessToken = new provider.AccessToken({
    ...shared,
    scope: grant.getResourceScope(first),
    resourceServer: new provider.ResourceServer(first, resourceServer(behaviour, first)),
  });
  const tokenResponse = {
    access_token: await accessToken.save(),
    refresh_token: await refreshToken.save(),
    token_type: accessToken.tokenType,
    expires_in: wholeSeconds(behaviour.accessTokenLifetimeMs),
    scope: grant.getResourceScope(first),
  };
  ledger.tokensIssued(tokenResponse);
  return { grantId, tokenResponse };
}

function knownScopes(
  resources: IssuerParts['behaviour']['resources'],
  indicator: string,
): readonly string[] {
  const resource = resources[indicator];
  if (resource) return resource.scopes;
  const known = Object.keys(resources).join(', ');
  throw new TypeError(`seedGrant: resources must be among ${known}, not ${indicator}`);
}
