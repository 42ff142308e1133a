// Starts the issuer, the support desk and the app, for a person to look at.
import { parseArgs } from 'node:util';
import { startNextApp } from '../world/next-app.ts';
import { startWorld } from '../world/world.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '3000' } } });
const url = `http://127.0.0.1:${values.port}`;

await using world = await startWorld(url);
await using app = await startNextApp({
  mode: 'dev',
  url,
  environment: world.environment,
  stdio: 'inherit',
});
console.log(`\n  Open ${url}\n  The issuer asks who you are: sign in as "ana".\n`);
const asked = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
});
await Promise.race([asked, app.ended]);
