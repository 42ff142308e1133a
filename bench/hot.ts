// The hot path: what an agent's tool call costs while its token is fresh, and while it is refreshed.
import { measureAccessToken } from './access-token.ts';
import { measureLedgerWrite } from './ledger-write.ts';
import { measurePrincipalFetch } from './principal-fetch.ts';
import { outputOptions, publish } from './publish.ts';
import { measureRefreshWaits } from './refresh-waits.ts';
import { describeMachine } from './report.ts';

const output = outputOptions();
const machine = describeMachine();
const sections = [
  ...(await measureAccessToken()),
  await measurePrincipalFetch(),
  ...(await measureLedgerWrite()),
  await measureRefreshWaits(),
];
publish({ benchmark: 'hot', machine, sections }, output);
