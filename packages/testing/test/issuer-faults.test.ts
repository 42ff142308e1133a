import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestIssuer, type TestIssuer, type TokenRequestFacts } from '../src/index.ts';
import { postRefresh } from './issuer-client.ts';

let issuer: TestIssuer;
let grantId: string;
let refreshToken: string;
beforeEach(async () => {
  issuer = await createTestIssuer();
  const seeded = await issuer.seedGrant({ subject: 'ana' });
  grantId = seeded.grantId;
  refreshToken = seeded.tokenResponse.refresh_token;
});
afterEach(() => issuer.close());

describe('a fault at the token endpoint', () => {
  it('dropBefore leaves the request unprocessed', async () => {
    const errors = vi.spyOn(console, 'error');
    {
      using _fault = issuer.fault(() => ({ fault: 'dropBefore' }));
      await expect(postRefresh(issuer, refreshToken)).rejects.toThrow('fetch failed');
    }
    expect(issuer.grant(grantId).generations).toBe(0);
    expect((await postRefresh(issuer, refreshToken)).status).toBe(200);
    expect(issuer.presentations(grantId)[0]?.times).toBe(2);
    expect(errors).not.toHaveBeenCalled();
  });

  it('dropAfter loses the response of a processed request', async () => {
    const errors = vi.spyOn(console, 'error');
    {
      using _fault = issuer.fault(() => ({ fault: 'dropAfter' }));
      await expect(postRefresh(issuer, refreshToken)).rejects.toThrow('fetch failed');
    }
    expect(issuer.grant(grantId)).toEqual({ alive: true, generations: 1 });
    expect((await postRefresh(issuer, refreshToken)).status).toBe(400);
    expect(issuer.grant(grantId).alive).toBe(false);
    expect(errors).not.toHaveBeenCalled();
  });

  it('status answers without processing', async () => {
    using _fault = issuer.fault(({ number }) => {
      if (number === 1) return { fault: 'status', status: 503 };
      if (number > 2) return undefined;
      return { fault: 'status', status: 429, body: 'slow down', headers: { 'retry-after': '2' } };
    });

    const unavailable = await postRefresh(issuer, refreshToken);
    expect(unavailable.status).toBe(503);
    expect(await unavailable.json()).toEqual({ error: 'temporarily_unavailable' });
    const limited = await postRefresh(issuer, refreshToken);
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '2']);
    expect(await limited.text()).toBe('slow down');
    expect(issuer.grant(grantId).generations).toBe(0);
    expect((await postRefresh(issuer, refreshToken)).status).toBe(200);
  });

  it('delay processes before or after a wait', async () => {
    using _fault = issuer.fault(() => ({ fault: 'delay', beforeMs: 1, afterMs: 1 }));
    expect((await postRefresh(issuer, refreshToken)).status).toBe(200);
  });

  it('body replaces the body of a processed response', async () => {
    using _fault = issuer.fault(() => ({
      fault: 'body',
      body: '<h1>Maintenance</h1>',
      contentType: 'text/html',
    }));
    const response = await postRefresh(issuer, refreshToken);
    expect([response.status, await response.text()]).toEqual([200, '<h1>Maintenance</h1>']);
    expect(response.headers.get('content-type')).toMatch('text/html');
    expect(issuer.grant(grantId).generations).toBe(1);
  });

  it('patch alters the response that was granted, and no refusal', async () => {
    using _fault = issuer.fault(() => ({
      fault: 'patch',
      patch: ({ expires_in: _, ...response }) => ({ ...response, token_type: 'mac' }),
    }));
    const granted = await (await postRefresh(issuer, refreshToken)).json();
    expect(granted).toMatchObject({ token_type: 'mac', refresh_token: expect.any(String) });
    expect(granted).not.toHaveProperty('expires_in');
    expect(await (await postRefresh(issuer, 'unknown')).json()).toMatchObject({
      error: 'invalid_grant',
    });
  });

  it('sees what kind of request it is, numbered since its plan was installed', async () => {
    await postRefresh(issuer, 'unknown');
    const seen: TokenRequestFacts[] = [];
    using _fault = issuer.fault((request) => {
      seen.push(request);
      return undefined;
    });
    await postRefresh(issuer, 'unknown');
    await fetch(`${issuer.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    expect(seen).toEqual([
      { grantType: 'refresh_token', isRefresh: true, number: 1 },
      { grantType: 'client_credentials', isRefresh: false, number: 2 },
    ]);
  });

  it('may hold a request back until the test lets it go', async () => {
    const arrived = Promise.withResolvers<void>();
    const go = Promise.withResolvers<undefined>();
    using _fault = issuer.fault(({ number }) => {
      if (number > 1) return undefined;
      arrived.resolve();
      return go.promise;
    });
    const held = postRefresh(issuer, refreshToken);
    await arrived.promise;
    const overtaking = await postRefresh(issuer, refreshToken);
    go.resolve(undefined);
    expect([overtaking.status, (await held).status]).toEqual([200, 400]);
  });

  it('is decided by the first plan that names one', async () => {
    using _first = issuer.fault(() => undefined);
    using _second = issuer.fault(() => ({ fault: 'status', status: 500 }));
    using _third = issuer.fault(() => ({ fault: 'status', status: 502 }));
    expect((await postRefresh(issuer, refreshToken)).status).toBe(500);
  });
});

describe('the latency of the token endpoint', () => {
  it('delays the processing, not only the answer', async () => {
    issuer.options.latencyMs = 30;
    const slow = postRefresh(issuer, refreshToken);
    await vi.waitUntil(() => issuer.counters.refreshRequests === 1, { interval: 1 });
    expect(issuer.counters.refreshes).toBe(0);
    expect((await slow).status).toBe(200);
    expect(issuer.counters.refreshes).toBe(1);
  });
});
