// Chaos on one store: `pnpm chaos --store redis --seconds 60 --json`.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { storeKinds } from '../multi-process/store-place.ts';
import { type ChaosResult, runChaos } from './chaos.ts';
import { chaosIssuers } from './chaos-world.ts';

const { values: given } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    issuer: { type: 'string', default: chaosIssuers.join(',') },
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    json: { type: 'boolean', default: false },
  },
});
const store = oneOf('--store', storeKinds, given.store);
const seconds = numberOf('--seconds', given.seconds);
const seed = numberOf('--seed', given.seed);
const results: ChaosResult[] = [];
for (const name of given.issuer.split(',')) {
  const issuer = oneOf('--issuer', chaosIssuers, name);
  console.error(`chaos: ${store}, ${issuer} issuer, ${seconds} s, --seed ${seed}`);
  results.push(await runChaos({ store, issuer, seconds, seed }));
}

if (given.json) console.log(JSON.stringify(results));
else for (const result of results) print(result);
if (results.some(({ problems }) => problems.length > 0)) process.exitCode = 1;

function print({ losses, problems, refused, audit, ...figures }: ChaosResult): void {
  console.table(figures);
  console.table(refused);
  const { calls, contradictions, ...counted } = audit;
  console.log('What the audit log alone says:');
  console.table({ ...counted, ...calls, contradictions: contradictions.length });
  if (losses.length > 0) console.table(losses);
  for (const problem of problems) console.error(`problem: ${problem}`);
}

function oneOf<Name extends string>(option: string, names: readonly Name[], value: string): Name {
  const found = names.find((name) => name === value);
  if (found === undefined)
    throw new TypeError(`${option}: expected one of ${names.join(', ')}; got ${value}`);
  return found;
}

function numberOf(option: string, value: string): number {
  const number = Number(value);
  if (value === '' || !Number.isFinite(number) || number < 0)
    throw new TypeError(`${option}: expected a number of 0 or more; got "${value}"`);
  return number;
}
