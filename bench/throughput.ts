// How many refreshes a second an issuer gets through the runtime, and how many through bare openid-client.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  allowInsecureRequests,
  ClientSecretBasic,
  discovery,
  refreshTokenGrant,
} from 'openid-client';
import { startChild } from './child.ts';
import type { SeededTokens } from './issuer-process.ts';
import { type ManyGrants, refreshedToken, startManyGrants } from './many-grants.ts';
import { type Batch, race, ratio, type Timing } from './measure.ts';
import { outputOptions, publish } from './publish.ts';
import { describeMachine, type Figure, ratioAtMost } from './report.ts';
import { type StoreName, stores } from './stores.ts';
import type { ManyGrantsReady } from './throughput/issuer-process.ts';

/** Grants of each contender. Each is refreshed again as soon as it has its new pair, so that the issuer is never idle. */
const grantCount = 20;
const length = { rounds: 15, operations: grantCount * 10, warmUpRounds: 2 };
/** 0.9 of the throughput. */
const longestRatio = 1 / 0.9;

const output = outputOptions();
const machine = describeMachine();
const names = Object.keys(stores) as StoreName[];
const folder = mkdtempSync(join(tmpdir(), 'outlive-throughput-'));
try {
  await using stack = new AsyncDisposableStack();
  const script = new URL('./throughput/issuer-process.ts', import.meta.url);
  const issuer = stack.use(
    await startChild<ManyGrantsReady>(script, [`${grantCount * (names.length + 1)}`]),
  );
  const { url, grants } = issuer.ready;
  const contenders: Record<string, Batch> = { bare: await bareRefreshes(url, share(grants, 0)) };
  for (const [at, name] of names.entries()) {
    const { place } = stack.use(await stores[name].start(folder));
    const store = stores[name].open(place);
    stack.defer(() => store.close());
    const many = stack.use(await startManyGrants(store, share(grants, at + 1), url));
    contenders[name] = refreshes(many);
  }
  const times = await race(contenders, length);
  const how = `${grantCount} grants each, every one refreshed again as soon as it has its new pair; ${length.rounds} interleaved rounds of ${length.operations} refreshes; time per refresh. The issuer is a process of its own and does nothing but answer. The bar is 0.9 of the throughput of bare openid-client, which stores nothing. A refresh through the runtime writes its claim and the new pair, each durable, and its audit events.`;
  publish(
    {
      benchmark: 'throughput',
      machine,
      sections: [{ title: 'Refreshes', how, figures: figures(times) }],
    },
    output,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function share(grants: readonly SeededTokens[], at: number): readonly SeededTokens[] {
  return grants.slice(at * grantCount, (at + 1) * grantCount);
}

async function bareRefreshes(url: string, grants: readonly SeededTokens[]): Promise<Batch> {
  const authentication = ClientSecretBasic('secret');
  const issuer = await discovery(new URL(url), 'basic', 'secret', authentication, {
    execute: [allowInsecureRequests],
  });
  const tokens = grants.map((grant) => grant.refresh_token);
  return onEachGrant(async (at) => {
    const response = await refreshTokenGrant(issuer, tokens[at] ?? '');
    tokens[at] = response.refresh_token ?? '';
  });
}

function refreshes(many: ManyGrants): Batch {
  const generations = many.tasks.map(() => 0);
  return onEachGrant(async (at) => {
    const task = many.tasks[at];
    if (task === undefined) throw new Error(`there is no grant ${at}`);
    const { generation } = await refreshedToken(many, task, generations[at] ?? 0);
    generations[at] = generation;
  });
}

/** Refreshes all grants at once, and each of them one time after another. */
function onEachGrant(refresh: (at: number) => Promise<void>): Batch {
  return (operations) =>
    Promise.all(
      Array.from({ length: grantCount }, async (_, at) => {
        for (let done = at; done < operations; done += grantCount) await refresh(at);
      }),
    );
}

function figures(times: Record<string, Timing>): Figure[] {
  const { bare, ...stored } = times;
  if (bare === undefined) throw new Error('bare openid-client was not measured');
  return [
    { name: `bare openid-client, ${perSecond(bare)}`, value: bare.medianNs / 1000, unit: 'µs' },
    ...Object.entries(stored).map(([name, timing]) =>
      ratioAtMost(longestRatio, {
        name: `Outlive on ${name}, ${perSecond(timing)}`,
        value: timing.medianNs / 1000,
        unit: 'µs',
        compared: { ...ratio(timing, bare), to: 'bare openid-client' },
      }),
    ),
  ];
}

function perSecond({ medianNs }: Timing): string {
  return `${Math.round(1e9 / medianNs)} a second`;
}
