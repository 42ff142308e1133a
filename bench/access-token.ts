import { type Batch, type Ratio, race, ratio, type Timing } from './measure.ts';
import { createBadgatewayFetch, createGoogleClient } from './peers.ts';
import { atMost, type Figure, ratioAtMost, type Section } from './report.ts';
import { freshTokens, idleIssuer, startBenchTask } from './task.ts';

type Contender = (typeof contenderNames)[number];

const contenderNames = [
  'a bare variable',
  'task.getAccessToken',
  'google-auth-library getAccessToken',
  'google-auth-library getRequestHeaders',
  '@badgateway/oauth2-client getAccessToken',
  '@badgateway/oauth2-client getToken',
] as const;

const length = { rounds: 201, operations: 5000, warmUpRounds: 20 };

/** A fresh token from the runtime, from the caches of peers, and from a variable. */
export async function measureAccessToken(): Promise<readonly Section[]> {
  await using bench = await startBenchTask();
  const { task, read } = bench;
  const setup = { issuer: idleIssuer, tokens: freshTokens };
  const google = createGoogleClient(setup, 60_000);
  const badgateway = createBadgatewayFetch(setup);
  const variable = freshTokens.access_token;
  const bare = async (): Promise<string> => variable;

  // Every contender has loops of its own: a loop that they shared would be compiled for all of them at once.
  const awaited: Record<Contender, Batch> = {
    async 'a bare variable'(operations) {
      for (let at = 0; at < operations; at += 1) await bare();
    },
    async 'task.getAccessToken'(operations) {
      for (let at = 0; at < operations; at += 1) await task.getAccessToken(read);
    },
    async 'google-auth-library getAccessToken'(operations) {
      for (let at = 0; at < operations; at += 1) await google.getAccessToken();
    },
    async 'google-auth-library getRequestHeaders'(operations) {
      for (let at = 0; at < operations; at += 1) await google.getRequestHeaders();
    },
    async '@badgateway/oauth2-client getAccessToken'(operations) {
      for (let at = 0; at < operations; at += 1) await badgateway.getAccessToken();
    },
    async '@badgateway/oauth2-client getToken'(operations) {
      for (let at = 0; at < operations; at += 1) await badgateway.getToken();
    },
  };
  // Promises settle in the order in which they were made: the last one stands for all.
  const together: Record<Contender, Batch> = {
    async 'a bare variable'(operations) {
      let last: Promise<unknown> | undefined;
      for (let at = 0; at < operations; at += 1) last = bare();
      await last;
    },
    async 'task.getAccessToken'(operations) {
      let last: Promise<unknown> | undefined;
      for (let at = 0; at < operations; at += 1) last = task.getAccessToken(read);
      await last;
    },
    async 'google-auth-library getAccessToken'(operations) {
      let last: Promise<unknown> | undefined;
      for (let at = 0; at < operations; at += 1) last = google.getAccessToken();
      await last;
    },
    async 'google-auth-library getRequestHeaders'(operations) {
      let last: Promise<unknown> | undefined;
      for (let at = 0; at < operations; at += 1) last = google.getRequestHeaders();
      await last;
    },
    async '@badgateway/oauth2-client getAccessToken'(operations) {
      let last: Promise<unknown> | undefined;
      for (let at = 0; at < operations; at += 1) last = badgateway.getAccessToken();
      await last;
    },
    async '@badgateway/oauth2-client getToken'(operations) {
      let last: Promise<unknown> | undefined;
      for (let at = 0; at < operations; at += 1) last = badgateway.getToken();
      await last;
    },
  };

  return [
    {
      title: 'A fresh access token, one call after another',
      how: `Each call awaited. ${length.rounds} interleaved rounds, ${length.operations} calls in each; time per call.`,
      figures: figures(await race(awaited, length)),
    },
    {
      title: 'A fresh access token, all calls at once',
      how: 'The same, with all calls of a round made before the last of them is awaited.',
      figures: figures(await race(together, length)),
    },
  ];
}

function figures(times: Record<Contender, Timing>): Figure[] {
  const own = times['task.getAccessToken'];
  const bare = times['a bare variable'];
  return contenderNames.map((name) => {
    const { medianNs } = times[name];
    const figure = { name, value: medianNs, unit: 'ns' } as const;
    if (name === 'a bare variable') return figure;
    if (name === 'task.getAccessToken')
      return atMost(1000, { ...figure, compared: { ...ratio(own, bare), to: 'a bare variable' } });
    const runtimeToPeer: Ratio = ratio(own, times[name]);
    return ratioAtMost(1, { ...figure, compared: { ...runtimeToPeer, to: 'this by Outlive' } });
  });
}
