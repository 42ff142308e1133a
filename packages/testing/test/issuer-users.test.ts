import * as oidc from 'openid-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer, type TestIssuer } from '../src/index.ts';
import { confidentialClient, errorOf } from './issuer-client.ts';

let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await createTestIssuer();
});
afterEach(() => issuer.close());

function patchUser(subject: string, body: string, token: string): Promise<Response> {
  return fetch(`${issuer.url}/scim/v2/Users/${encodeURIComponent(subject)}`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
    body,
  });
}

function patchOp(...operations: object[]): string {
  return JSON.stringify({
    schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations: operations,
  });
}

describe('a disabled user', () => {
  it('cannot refresh until enabled again; the grant is kept', async () => {
    const agent = await confidentialClient(issuer);
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const refresh = () => oidc.refreshTokenGrant(agent, tokenResponse.refresh_token);

    issuer.user('ana').active = false;
    expect(await errorOf(refresh())).toBe('invalid_grant');
    expect(await issuer.accessToken(tokenResponse.access_token)).toBeUndefined();
    expect(await oidc.tokenIntrospection(agent, tokenResponse.access_token)).toEqual({
      active: false,
    });
    expect(issuer.grant(grantId)).toEqual({ alive: true, generations: 0 });

    issuer.user('ana').active = true;
    expect(await errorOf(refresh())).toBe('none');
  });
});

describe('the SCIM view of users', () => {
  it('answers whether a user is active (RFC 7643)', async () => {
    issuer.user('ana@example').active = false;
    const response = await fetch(`${issuer.url}/scim/v2/Users/ana%40example`);
    expect(response.headers.get('content-type')).toMatch('application/scim+json');
    expect(await response.json()).toMatchObject({
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
      id: 'ana@example',
      active: false,
    });
  });

  it('does not know users that nobody mentioned', async () => {
    expect((await fetch(`${issuer.url}/scim/v2/Users/nobody`)).status).toBe(404);
  });

  it('disables and enables by either spelling of a PatchOp', async () => {
    const user = issuer.user('ana');
    const off = patchOp({ op: 'replace', path: 'active', value: false });
    expect(await (await patchUser('ana', off, issuer.adminToken)).json()).toMatchObject({
      active: false,
    });
    expect(user.active).toBe(false);
    const on = patchOp({ op: 'Replace', value: { active: true } });
    expect((await patchUser('ana', on, issuer.adminToken)).status).toBe(200);
    expect(user.active).toBe(true);
  });

  it('refuses to patch without the admin token, and what is no PatchOp', async () => {
    const user = issuer.user('ana');
    const off = patchOp({ op: 'replace', path: 'active', value: false });
    expect((await patchUser('ana', off, 'guess')).status).toBe(401);
    for (const body of ['{', 'null', '{}', patchOp({ op: 'add', path: 'active', value: false })]) {
      expect((await patchUser('ana', body, issuer.adminToken)).status).toBe(400);
    }
    expect(user.active).toBe(true);
    const deletion = await fetch(`${issuer.url}/scim/v2/Users/ana`, { method: 'DELETE' });
    expect(deletion.status).toBe(405);
  });
});
