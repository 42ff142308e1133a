import * as oidc from 'openid-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer, type TestIssuer } from '../src/index.ts';
import { confidentialClient, errorOf } from './issuer-client.ts';

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const bearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

let employer: TestIssuer;
let tickets: TestIssuer;
beforeEach(async () => {
  employer = await createTestIssuer();
  tickets = await createTestIssuer({ identityProviders: [employer.url] });
});
afterEach(async () => {
  await employer.close();
  await tickets.close();
});

/** An assertion about ana, for `audience`. */
async function assertion(audience: string, scope = 'read'): Promise<string> {
  const agent = await confidentialClient(employer);
  const { tokenResponse } = await employer.seedGrant({ subject: 'ana' });
  const { id_token: idToken = '' } = await oidc.refreshTokenGrant(
    agent,
    tokenResponse.refresh_token,
    { scope: 'openid read' },
  );
  const response = await oidc.genericGrantRequest(agent, exchangeGrant, {
    subject_token: idToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
    audience,
    resource: `${tickets.url}/api`,
    scope,
  });
  expect(response).toMatchObject({ token_type: 'n_a', expires_in: 300 });
  return response.access_token;
}

async function redeem(value: string, parameters: Record<string, string> = {}) {
  const client = await confidentialClient(tickets);
  return oidc.genericGrantRequest(client, bearerGrant, { assertion: value, ...parameters });
}

it('an assertion of the employer is a grant at the issuer that trusts it', async () => {
  const response = await redeem(await assertion(tickets.url));
  expect(response).toMatchObject({ token_type: 'bearer', scope: 'read' });
  expect(response.refresh_token).toBeUndefined();
  expect(await tickets.accessToken(response.access_token)).toMatchObject({
    subject: 'ana',
    audience: [`${tickets.url}/api`],
    actor: { sub: 'agent' },
  });
});

describe('an assertion is refused', () => {
  it('when it comes twice', async () => {
    const value = await assertion(tickets.url);
    await redeem(value);
    expect(await errorOf(redeem(value))).toBe('invalid_grant');
  });

  it('when it is for another issuer', async () => {
    expect(await errorOf(redeem(await assertion('https://other.example')))).toBe('invalid_grant');
  });

  it('when its issuer is not trusted', async () => {
    tickets.options.identityProviders = [];
    expect(await errorOf(redeem(await assertion(tickets.url)))).toBe('invalid_grant');
    expect(await errorOf(redeem('no JWT'))).toBe('invalid_grant');
  });

  it('for more than it holds', async () => {
    const asked = redeem(await assertion(tickets.url), { scope: 'read write' });
    expect(await errorOf(asked)).toBe('invalid_scope');
  });

  it('about a person whom the employer has disabled', async () => {
    const agent = await confidentialClient(employer);
    const { tokenResponse } = await employer.seedGrant({ subject: 'ana' });
    const { id_token: idToken = '' } = await oidc.refreshTokenGrant(
      agent,
      tokenResponse.refresh_token,
      { scope: 'openid' },
    );
    employer.user('ana').active = false;
    const asked = oidc.genericGrantRequest(agent, exchangeGrant, {
      subject_token: idToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
      audience: tickets.url,
    });
    expect(await errorOf(asked)).toBe('invalid_request');
  });
});
