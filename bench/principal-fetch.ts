import type { GuardedCall } from '@outlive/core';
import type { ApiReady } from './api-process.ts';
import { startChild } from './child.ts';
import { type Ratio, race, ratio } from './measure.ts';
import { createBadgatewayFetch, createGoogleClient } from './peers.ts';
import { ratioAtMost, type Section } from './report.ts';
import { freshTokens, idleIssuer, startBenchTask } from './task.ts';

const length = { rounds: 1001, operations: 5, warmUpRounds: 30 };

/** Reads through a principal's `fetch`, through peers, and through a `fetch` that knows the token. */
export async function measurePrincipalFetch(): Promise<Section> {
  await using api = await startChild<ApiReady>(new URL('./api-process.ts', import.meta.url));
  const url = `${api.ready.url}invoices`;
  await using bench = await startBenchTask({ baseUrl: api.ready.url });
  const { task, read } = bench;
  const setup = { issuer: idleIssuer, tokens: freshTokens };
  const google = createGoogleClient(setup, 60_000);
  const badgateway = createBadgatewayFetch(setup);
  const init = { headers: { authorization: `Bearer ${freshTokens.access_token}` } };
  const bind = (): GuardedCall =>
    task
      .startRun()
      .call({ requirement: read, toolName: 'list', toolCallId: 'c1', input: { page: 1 } });
  const { principal } = bind();

  const times = await race(
    {
      async bare(operations) {
        for (let at = 0; at < operations; at += 1) await (await fetch(url, init)).arrayBuffer();
      },
      async principal(operations) {
        for (let at = 0; at < operations; at += 1)
          await (await principal.fetch('invoices')).arrayBuffer();
      },
      async call(operations) {
        for (let at = 0; at < operations; at += 1) {
          const call = bind();
          await (await call.principal.fetch('invoices')).arrayBuffer();
          await call.settle({ ok: true });
        }
      },
      async google(operations) {
        for (let at = 0; at < operations; at += 1)
          await google.request({ url, responseType: 'arraybuffer' });
      },
      async badgateway(operations) {
        for (let at = 0; at < operations; at += 1)
          await (await badgateway.fetch(url)).arrayBuffer();
      },
    },
    length,
  );
  const microseconds = (name: keyof typeof times): { value: number; unit: 'µs' } => ({
    value: times[name].medianNs / 1000,
    unit: 'µs',
  });
  const toBare = (name: keyof typeof times): Ratio & { to: string } => ({
    ...ratio(times[name], times.bare),
    to: 'bare fetch',
  });
  return {
    title: 'A read request to a server on loopback',
    how: `One after another, keep-alive, body read. ${length.rounds} interleaved rounds, ${length.operations} requests in each; time per request.`,
    figures: [
      { name: 'bare fetch with a static header', ...microseconds('bare') },
      ratioAtMost(1.05, {
        name: 'principal.fetch',
        ...microseconds('principal'),
        compared: toBare('principal'),
      }),
      {
        name: 'a whole tool call: bound, fetched, settled, audited',
        ...microseconds('call'),
        compared: toBare('call'),
      },
      {
        name: 'google-auth-library request',
        ...microseconds('google'),
        compared: toBare('google'),
      },
      {
        name: '@badgateway/oauth2-client fetch',
        ...microseconds('badgateway'),
        compared: toBare('badgateway'),
      },
    ],
  };
}
