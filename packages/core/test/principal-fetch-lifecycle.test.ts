import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { AuthError } from '../src/errors.ts';
import { createPrincipalFetch } from '../src/principal-fetch.ts';
import { locateResource } from '../src/resource-location.ts';
import { rejection, useTwoServers } from './principal-fetch-setup.ts';
import { challenged, invalidToken, type ScriptedAnswer } from './recording-server.ts';
import { bearerToken, createScriptedAuthority, proofs, tokenOf } from './scripted-authority.ts';

const servers = useTwoServers();

describe('the ledger learns', () => {
  it('of a request before its first byte leaves', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    servers.authority.beforeSend = () => promise;
    const response = servers.fetchTo('')('x', { method: 'POST' });
    await new Promise(setImmediate);
    expect(servers.api.requests).toEqual([]);
    resolve();
    await response;
    expect(servers.api.requests).toHaveLength(1);
  });

  it('nothing when the call may not be made, and nothing is sent', async () => {
    const paused = new AuthError('task_paused');
    servers.authority.beforeSend = () => Promise.reject(paused);
    expect(await rejection(servers.fetchTo('')('x'))).toBe(paused);
    servers.authority.acquire = () => Promise.reject(paused);
    expect(await rejection(servers.fetchTo('')('x'))).toBe(paused);
    expect(servers.authority.log).toEqual(['acquire']);
    expect(servers.api.requests).toEqual([]);
  });

  it('that nobody can tell when the connection fails, and the error stays the platform’s', async () => {
    servers.api.answer((_, response) => void response.destroy());
    const error = await rejection(servers.fetchTo('')('x', { method: 'POST' }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: 'fetch failed' });
    expect(servers.authority.log).toEqual(['acquire', 'beforeSend', 'afterSend unknown']);
  });

  it('that nobody can tell when the retry fails', async () => {
    let requests = 0;
    servers.api.answer((_, response) => {
      requests += 1;
      if (requests === 1) response.writeHead(401).end();
      else response.destroy();
    });
    await rejection(servers.fetchTo('')('x', { method: 'POST' }));
    expect(servers.authority.log.at(-1)).toBe('afterSend unknown');
  });

  it('that a POST was answered by a 303, although what it led to was refused', async () => {
    const seeOther = { status: 303, headers: { location: '/y' } };
    servers.api.script(seeOther, challenged(403, 'Bearer error="insufficient_scope"'));
    await rejection(servers.fetchTo('')('x', { method: 'POST', body: 'b' }));
    expect(servers.authority.log.slice(-2)).toEqual([
      'afterSend answered',
      'refuse insufficient_scope',
    ]);
  });

  it('that a POST was refused when a 308 only sent it to where it was', async () => {
    const permanent = { status: 308, headers: { location: '/y' } };
    servers.api.script(permanent, challenged(403, 'Bearer error="insufficient_scope"'));
    await rejection(servers.fetchTo('')('x', { method: 'POST', body: 'b' }));
    expect(servers.authority.log.slice(-2)).toEqual([
      'afterSend refused',
      'refuse insufficient_scope',
    ]);
  });

  it('nothing of a call that fetch itself would not make', async () => {
    const impossible: readonly RequestInit[] = [
      { method: 'TRACE' },
      { method: 'a b' },
      { method: 'GET', body: 'x' },
      { headers: { 'a b': 'c' } },
      { redirect: 'sometimes' as 'follow' },
    ];
    for (const init of impossible)
      expect(await rejection(servers.fetchTo('')('x', init))).toBeInstanceOf(TypeError);
    expect(servers.authority.log).toEqual([]);
  });
});

describe('the caller’s signal', () => {
  const reason = new Error('the caller gave up');

  it('that has fired already ends the call before anything is acquired', async () => {
    const signal = AbortSignal.abort(reason);
    expect(await rejection(servers.fetchTo('')('x', { signal }))).toBe(reason);
    const request = new Request(servers.api.origin, { signal });
    expect(await rejection(servers.fetchTo('')(request))).toBe(reason);
    expect(servers.authority.log).toEqual([]);
  });

  it('ends the request', async () => {
    const controller = new AbortController();
    servers.api.answer(() => controller.abort(reason));
    const { signal } = controller;
    expect(await rejection(servers.fetchTo('')('x', { signal }))).toBe(reason);
    expect(servers.authority.log).toEqual(['acquire', 'beforeSend', 'afterSend unknown']);
  });

  it.each(['acquire', 'renew'] as const)('ends the wait for %s, which goes on', async (wait) => {
    const controller = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    let finished = false;
    servers.authority[wait] = async () => {
      controller.abort(reason);
      await promise;
      finished = true;
      return bearerToken(2);
    };
    servers.api.script(invalidToken);
    const { signal } = controller;
    expect(await rejection(servers.fetchTo('')('x', { signal }))).toBe(reason);
    resolve();
    await new Promise(setImmediate);
    expect(finished).toBe(true);
    expect(servers.api.requests).toHaveLength(wait === 'acquire' ? 0 : 1);
    expect(servers.authority.log.at(-1)).toBe(wait === 'acquire' ? undefined : 'afterSend refused');
  });

  it('of a Request does not count when init sets it to null', async () => {
    const controller = new AbortController();
    servers.api.answer((_, response) => {
      controller.abort(reason);
      response.end('answered');
    });
    const { signal } = controller;
    const request = new Request(servers.api.origin, { method: 'POST', body: 'x', signal });
    const response = await servers.fetchTo('')(request, { signal: null });
    expect(await response.text()).toBe('answered');
  });

  it('does not leave a listener behind', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...parameters: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(signal, parameters);
    };
    signal.removeEventListener = (...parameters: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(signal, parameters);
    };
    const resource = locateResource({ name: 'billing', baseUrl: servers.api.origin });
    const authority = createScriptedAuthority({ acquire: async () => bearerToken(1) });
    const fetch = createPrincipalFetch({
      resource,
      authority,
      proofs,
      fetch: async () => new Response(),
    });
    await fetch('x', { signal });
    await new Promise(setImmediate);
    expect(listeners).toBe(0);
  });

  it('that fires while the ledger writes leaves nothing sent, and the ledger told so', async () => {
    const controller = new AbortController();
    servers.authority.beforeSend = async () => controller.abort(reason);
    const { signal } = controller;
    expect(await rejection(servers.fetchTo('')('x', { method: 'POST', signal }))).toBe(reason);
    expect(servers.authority.log).toEqual(['acquire', 'afterSend refused']);
    expect(servers.api.requests).toEqual([]);
  });
});

describe('a token', () => {
  it.each(['a\nb', 'a\r\nx-injected: 1', 'a b', 'ä', ''])(
    'that no header can carry is not sent, and not repeated by an error: %j',
    async (value) => {
      servers.authority.acquire = () => bearerToken(1, `${value && `canary${value}`}`);
      const error = await rejection(servers.fetchTo('')('x'));
      expect(error).toMatchObject({ code: 'misconfigured', reason: 'token_not_sendable' });
      expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain('canary');
      expect(servers.api.requests).toEqual([]);
    },
  );

  it('is in no error', async () => {
    const errors: unknown[] = [];
    const attempts: readonly ScriptedAnswer[][] = [
      [invalidToken, invalidToken],
      [challenged(403, `Bearer error="insufficient_scope", scope="${tokenOf(1)}"`)],
      [
        {
          status: 302,
          headers: { location: `http://elsewhere.example/${tokenOf(1)}?${tokenOf(1)}` },
        },
      ],
    ];
    for (const attempt of attempts) {
      servers.api.script(...attempt);
      errors.push(await rejection(servers.fetchTo('')('x')));
    }
    servers.api.answer((_, response) => void response.destroy());
    errors.push(await rejection(servers.fetchTo('')('x')));
    expect(inspect(errors, { showHidden: true, depth: 9 })).not.toContain('canary');
    expect(JSON.stringify(errors)).not.toContain('canary');
  });
});

describe('the bodies of refused and redirecting responses', () => {
  it('are cancelled', async () => {
    let cancelled = 0;
    const countCancelled = (): void => {
      cancelled += 1;
    };
    const open = (status: number, headers: Record<string, string> = {}): Response =>
      new Response(new ReadableStream({ cancel: countCancelled }), {
        status,
        headers,
      });
    const responses = [
      open(302, { location: 'y' }),
      open(401),
      open(401),
      open(403, { 'www-authenticate': 'Bearer error="insufficient_scope"' }),
      open(307, { location: 'https://evil.example' }),
    ];
    const resource = locateResource({ name: 'billing', baseUrl: servers.api.origin });
    const { authority } = servers;
    const next = async (): Promise<Response> => responses.shift() ?? new Response();
    const fetch = createPrincipalFetch({ resource, authority, proofs, fetch: next });
    await rejection(fetch('x'));
    expect(cancelled).toBe(3);
    await rejection(fetch('x'));
    await rejection(fetch('x'));
    expect(cancelled).toBe(5);
  });
});

describe('a fresh token and a read', () => {
  it('reach the platform’s fetch in the same turn, as a URL and an init', () => {
    const calls: unknown[][] = [];
    const resource = locateResource({ name: 'billing', baseUrl: 'https://api.example/v1' });
    const { authority } = servers;
    const fetch = createPrincipalFetch({
      resource,
      proofs,
      authority,
      fetch: async (...parameters) => {
        calls.push(parameters);
        return new Response();
      },
    });
    void fetch('invoices');
    expect(calls).toMatchObject([
      ['https://api.example/v1/invoices', { headers: { authorization: `Bearer ${tokenOf(1)}` } }],
    ]);
  });
});
