import * as oidc from 'openid-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer, type TestIssuer } from '../src/index.ts';
import { confidentialClient, errorOf } from './issuer-client.ts';

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

let issuer: TestIssuer;
let agent: oidc.Configuration;
beforeEach(async () => {
  issuer = await createTestIssuer({ accessTokenLifetimeMs: 60_000 });
  agent = await confidentialClient(issuer);
});
afterEach(() => issuer.close());

function exchange(subjectToken: string, parameters: Record<string, string> = {}) {
  return oidc.genericGrantRequest(agent, exchangeGrant, {
    subject_token: subjectToken,
    subject_token_type: accessTokenType,
    resource: `${issuer.url}/api`,
    ...parameters,
  });
}

async function seeded() {
  const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
  return { grantId, ...tokenResponse };
}

describe('an exchanged token', () => {
  it('speaks for the user, names the client that acts, and has the scopes that were asked for', async () => {
    const { access_token: subjectToken } = await seeded();
    const response = await exchange(subjectToken, { scope: 'read' });
    expect(response).toMatchObject({ token_type: 'bearer', scope: 'read', expires_in: 60 });
    expect(await issuer.accessToken(response.access_token)).toEqual({
      subject: 'ana',
      clientId: 'agent',
      scopes: ['read'],
      audience: [`${issuer.url}/api`],
      actor: { sub: 'agent' },
    });
    expect(issuer.counters).toMatchObject({ exchanges: 1, exchanged: 1 });
  });

  it('names each actor in turn when it is exchanged again', async () => {
    const { access_token: subjectToken } = await seeded();
    const { access_token: actorToken } = await oidc.clientCredentialsGrant(agent);
    const first = await exchange(subjectToken, {
      actor_token: actorToken,
      actor_token_type: accessTokenType,
    });
    const second = await exchange(first.access_token);
    expect((await issuer.accessToken(second.access_token))?.actor).toEqual({
      sub: 'agent',
      act: { sub: 'agent' },
    });
  });

  it('lives no longer than was asked for', async () => {
    const { access_token: subjectToken } = await seeded();
    expect(await exchange(subjectToken, { requested_expires_in: '7' })).toMatchObject({
      expires_in: 7,
    });
    expect(await exchange(subjectToken, { requested_expires_in: '9999' })).toMatchObject({
      expires_in: 60,
    });
  });

  it('as a JWT carries its actor', async () => {
    const { access_token: subjectToken } = await seeded();
    issuer.options.accessTokenFormat = 'jwt';
    const { access_token: token } = await exchange(subjectToken);
    expect(token.split('.')).toHaveLength(3);
    expect((await issuer.accessToken(token))?.actor).toEqual({ sub: 'agent' });
  });
});

describe('a grant of its own', () => {
  it('lets the token be revoked alone, and outlive the grant of the user', async () => {
    const { grantId, ...first } = await seeded();
    const one = await exchange(first.access_token);
    const other = await exchange(first.access_token);
    await oidc.tokenRevocation(agent, one.access_token);
    expect(await issuer.accessToken(one.access_token)).toBeUndefined();
    expect(issuer.grant(grantId).alive).toBe(true);

    await oidc.tokenRevocation(agent, first.refresh_token);
    expect(issuer.grant(grantId).alive).toBe(false);
    expect(await issuer.accessToken(other.access_token)).toBeDefined();
  });

  it('is what the token of the subject lacks: revoked, it ends everything the user has', async () => {
    issuer.options.exchangedTokenGrant = 'subject';
    const { grantId, access_token: subjectToken } = await seeded();
    const { access_token: token } = await exchange(subjectToken);
    await oidc.tokenRevocation(agent, token);
    expect(issuer.grant(grantId).alive).toBe(false);
    expect(await issuer.accessToken(subjectToken)).toBeUndefined();
  });
});

describe('an exchange is refused', () => {
  it('for a scope that the user has not granted there', async () => {
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana', scopes: ['read'] });
    const asked = exchange(tokenResponse.access_token, { scope: 'read write' });
    expect(await errorOf(asked)).toBe('invalid_scope');
  });

  it('for a resource that there is none of', async () => {
    const { access_token: subjectToken } = await seeded();
    const asked = exchange(subjectToken, { resource: 'https://other.example' });
    expect(await errorOf(asked)).toBe('invalid_target');
  });

  it('for a token that is not good, or whose user is disabled', async () => {
    const { access_token: subjectToken } = await seeded();
    expect(await errorOf(exchange('nonsense'))).toBe('invalid_request');
    issuer.user('ana').active = false;
    expect(await errorOf(exchange(subjectToken))).toBe('invalid_request');
    expect(issuer.counters).toMatchObject({ exchanges: 2, exchanged: 0 });
  });
});
