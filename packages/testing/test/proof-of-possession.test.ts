import { calculateJwkThumbprint, exportJWK, SignJWT } from 'jose';
import * as oidc from 'openid-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createProtectedApi,
  createTestIssuer,
  type ProtectedApi,
  type TestIssuer,
} from '../src/index.ts';
import { confidentialClient, errorOf } from './issuer-client.ts';

let issuer: TestIssuer;
let api: ProtectedApi;
let agent: oidc.Configuration;
type KeyPair = Awaited<ReturnType<typeof oidc.randomDPoPKeyPair>>;

let key: KeyPair;
beforeEach(async () => {
  issuer = await createTestIssuer({ accessTokenLifetimeMs: 60_000 });
  const handle = () => Response.json({ ok: true });
  api = await createProtectedApi({ issuer, routes: { 'GET /x': { scopes: ['read'], handle } } });
  agent = await confidentialClient(issuer);
  key = await oidc.randomDPoPKeyPair('ES256', { extractable: true });
});
afterEach(async () => {
  await api.close();
  await issuer.close();
});

/** A token that is bound to `key`. */
async function boundToken(): Promise<string> {
  const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
  const DPoP = oidc.getDPoPHandle(agent, key);
  const { access_token: token } = await oidc.refreshTokenGrant(
    agent,
    tokenResponse.refresh_token,
    undefined,
    { DPoP },
  );
  return token;
}

async function proofFor(token: string, claims: Record<string, unknown> = {}, keys = key) {
  const { kty, crv, x, y } = await exportJWK(keys.publicKey);
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token));
  return new SignJWT({
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    htm: 'GET',
    htu: `${api.url}/x`,
    ath: Buffer.from(hash).toString('base64url'),
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: { kty, crv, x, y } as object })
    .sign(keys.privateKey);
}

function get(token: string, proof: string | undefined, scheme = 'DPoP'): Promise<Response> {
  const headers = { authorization: `${scheme} ${token}`, ...(proof && { dpop: proof }) };
  return fetch(`${api.url}/x`, { headers });
}

describe('a token that is bound to a key', () => {
  it('is good with a proof of that key, once', async () => {
    const token = await boundToken();
    const { publicKey } = key;
    expect((await issuer.accessToken(token))?.keyThumbprint).toBe(
      await calculateJwkThumbprint(await exportJWK(publicKey)),
    );
    const proof = await proofFor(token);
    expect((await get(token, proof)).status).toBe(200);
    expect((await get(token, proof)).status).toBe(401);
  });

  it('is refused without a proof, and as a bearer token', async () => {
    const token = await boundToken();
    expect((await get(token, undefined)).status).toBe(401);
    expect((await get(token, undefined, 'Bearer')).status).toBe(401);
    expect((await get(token, await proofFor(token), 'Bearer')).status).toBe(401);
  });

  it.each([
    ['another method', { htm: 'POST' }],
    ['another address', { htu: 'https://elsewhere.example/x' }],
    ['another token', { ath: 'c29tZXRoaW5nIGVsc2U' }],
    ['another time', { iat: 1 }],
  ])('is refused with a proof for %s', async (_, claims) => {
    const token = await boundToken();
    const response = await get(token, await proofFor(token, claims));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('invalid_dpop_proof');
  });

  it('is refused with a proof of another key', async () => {
    const token = await boundToken();
    const other = await oidc.randomDPoPKeyPair('ES256', { extractable: true });
    expect((await get(token, await proofFor(token, {}, other))).status).toBe(401);
  });

  it('needs a nonce of the API where the API wants one', async () => {
    const token = await boundToken();
    api.proofNonces = true;
    const first = await get(token, await proofFor(token));
    const nonce = first.headers.get('dpop-nonce');
    expect(first.headers.get('www-authenticate')).toContain('use_dpop_nonce');
    expect((await get(token, await proofFor(token, { nonce }))).status).toBe(200);
  });
});

it('binds an exchanged token to the key of the request, which must be that of the subject token', async () => {
  const token = await boundToken();
  const exchange = (keys: KeyPair) =>
    oidc.genericGrantRequest(
      agent,
      'urn:ietf:params:oauth:grant-type:token-exchange',
      {
        subject_token: token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        resource: `${issuer.url}/api`,
      },
      { DPoP: oidc.getDPoPHandle(agent, keys) },
    );
  issuer.options.proofNonces = true;
  const bound = await exchange(key);
  expect(bound.token_type).toBe('dpop');
  expect((await issuer.accessToken(bound.access_token))?.keyThumbprint).toBeDefined();
  const other = await oidc.randomDPoPKeyPair('ES256');
  expect(await errorOf(exchange(other))).toBe('invalid_request');
});
