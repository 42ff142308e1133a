import { setTimeout } from 'node:timers/promises';
import { startChild } from './child.ts';
import type { IssuerReady } from './issuer-process.ts';
import { median, quantile } from './measure.ts';
import { createBadgatewayFetch, createGoogleClient } from './peers.ts';
import { atMost, type Figure, type Section } from './report.ts';
import { startBenchTask } from './task.ts';

const issuerLatencyMs = 500;
const lifetimeMs = 5000;
/** How long before expiry google-auth-library refreshes: about when the runtime does. */
const eagerRefreshMs = lifetimeMs * 0.25;
const callsPerSecond = 100;
const refreshes = 8;

/** One way to get a token, asked all the time. */
interface Client {
  /** Whether the token it holds is due: its refresh is under way, or the next call starts it. */
  isDue(): boolean;
  getAccessToken(): Promise<unknown>;
}

/** How long callers wait for a token while it is refreshed at an issuer that takes its time. */
export async function measureRefreshWaits(): Promise<Section> {
  const script = new URL('./issuer-process.ts', import.meta.url);
  await using issuer = await startChild<IssuerReady>(script, [
    `${issuerLatencyMs}`,
    `${lifetimeMs}`,
  ]);
  const { url, outlive, google, badgateway } = issuer.ready;
  const tokenRequestsMs: number[] = [];
  await using bench = await startBenchTask({
    issuer: url,
    tokens: outlive,
    issuerFetch: timedTokenRequests(tokenRequestsMs),
  });
  const { task, read } = bench;
  const googleClient = createGoogleClient({ issuer: url, tokens: google }, eagerRefreshMs);
  const badgatewayFetch = createBadgatewayFetch({ issuer: url, tokens: badgateway });

  let held = await task.getAccessToken(read);
  let stored = await badgatewayFetch.getToken();
  const clients = {
    outlive: {
      isDue: () => Date.now() >= held.dueAt,
      async getAccessToken() {
        held = await task.getAccessToken(read);
      },
    },
    google: {
      isDue: () => Date.now() >= (googleClient.credentials.expiry_date ?? 0) - eagerRefreshMs,
      getAccessToken: () => googleClient.getAccessToken(),
    },
    badgateway: {
      isDue: () => Date.now() >= (stored.expiresAt ?? 0),
      async getAccessToken() {
        stored = await badgatewayFetch.getToken();
      },
    },
  } satisfies Record<string, Client>;

  const enough = (): boolean => held.generation >= refreshes;
  const [own, googleMs, badgatewayMs] = await Promise.all([
    waits(clients.outlive, enough),
    waits(clients.google, enough),
    waits(clients.badgateway, enough),
  ]);
  const name = 'task.getAccessToken';
  return {
    title: `The wait for a token while a ${issuerLatencyMs} ms issuer refreshes it`,
    how: `${callsPerSecond} calls a second each, for ${refreshes} refreshes; only the calls made from when the token was due until the new one was there: ${own.length} of Outlive, ${googleMs.length} of google-auth-library, ${badgatewayMs.length} of @badgateway/oauth2-client, which refreshes tokens of under two minutes when they have expired.`,
    figures: [
      { name: 'token request, as the runtime sees it', value: median(tokenRequestsMs), unit: 'ms' },
      { name: `${name}, median`, value: median(own), unit: 'ms' },
      atMost(2, { name: `${name}, 99 %`, value: quantile(own, 0.99), unit: 'ms' }),
      { name: `${name}, longest`, value: Math.max(...own), unit: 'ms' },
      ...peerFigures('google-auth-library getAccessToken', googleMs),
      ...peerFigures('@badgateway/oauth2-client getToken', badgatewayMs),
    ],
  };
}

function peerFigures(name: string, waitsMs: readonly number[]): Figure[] {
  return [
    { name: `${name}, median`, value: median(waitsMs), unit: 'ms' },
    { name: `${name}, 99 %`, value: quantile(waitsMs, 0.99), unit: 'ms' },
  ];
}

/** Calls at a steady rate, whether or not earlier calls have their answer; answers the waits, ms, of those that met a refresh. */
async function waits(client: Client, enough: () => boolean): Promise<number[]> {
  const waitsMs: number[] = [];
  const calls: Promise<void>[] = [];
  const call = async (): Promise<void> => {
    const due = client.isDue();
    const calledAt = performance.now();
    await client.getAccessToken();
    if (due) waitsMs.push(performance.now() - calledAt);
  };
  const startedAt = performance.now();
  while (!enough()) {
    const planned = ((performance.now() - startedAt) * callsPerSecond) / 1000;
    while (calls.length < planned) calls.push(call());
    await setTimeout(1);
  }
  await Promise.all(calls);
  return waitsMs;
}

/** The platform's fetch, which notes how long token requests take. */
function timedTokenRequests(tookMs: number[]): typeof globalThis.fetch {
  return async (input, init) => {
    const startedAt = performance.now();
    const response = await fetch(input, init);
    if (init?.method === 'POST') tookMs.push(performance.now() - startedAt);
    return response;
  };
}
