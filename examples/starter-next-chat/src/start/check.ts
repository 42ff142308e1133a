// Builds the app, starts it, and goes through the whole story over HTTP. Exit status 1 when anything is not as it should be.
import assert from 'node:assert/strict';
import { buildNextApp, freeOrigin, startNextApp } from '../world/next-app.ts';
import { startWorld } from '../world/world.ts';
import { visit } from './visitor.ts';

const url = await freeOrigin();
say('Building the app.');
await buildNextApp();
await using world = await startWorld(url);
await using _app = await startNextApp({ mode: 'start', url, environment: world.environment });
const visitor = await visit(url, world.issuer);

await visitor.ask('Close the tickets that are resolved');
assert.deepEqual(visitor.waitsFor, { code: 'reauthorization_required', calls: 0 });
assert.equal(world.desk.requests, 0);
say('Asked without an account: the chat waits, and no request was made.');

world.revokeMidRun();
assert.equal(await visitor.connect(), 'connected');
await visitor.answer('resume');
assert.deepEqual(visitor.waitsFor, { code: 'reauthorization_required', calls: 1 });
assert.deepEqual(callStates(), ['done', 'done', 'done', 'waits']);
assert.equal(closed().length, 2);
say('Connected, and the access was ended in the middle of the run: one of three calls waits.');

const requests = world.desk.requests;
assert.equal(await visitor.connect(), 'connected');
await visitor.answer('resume');
assert.deepEqual(visitor.waitsFor, undefined);
assert.deepEqual(callStates(), ['done', 'done', 'done', 'done']);
assert.equal(world.desk.requests, requests + 1);
assert.deepEqual(closed().toSorted(), ['/tickets/T-101', '/tickets/T-102', '/tickets/T-103']);
say('Connected again: exactly the call that waited ran again. Every ticket was closed once.');

world.desk.atRequest(1, world.revoke);
await visitor.ask('What is open?');
assert.deepEqual(visitor.waitsFor, { code: 'reauthorization_required', calls: 1 });
await visitor.answer('decline');
assert.deepEqual(visitor.waitsFor, undefined);
assert.match(visitor.said.at(-1) ?? '', /leave it at that/);
say('Declined: the model was told, and the chat goes on.');

const tokens = world.issuer.issuedTokens().filter(({ value }) => visitor.received.includes(value));
assert.equal(tokens.length, 0);
assert.ok(visitor.received.includes('data-auth-interrupt'));
say(`None of ${world.issuer.issuedTokens().length} tokens reached the browser.`);

function callStates(): string[] {
  const words: Record<string, string> = {
    'output-available': 'done',
    'approval-requested': 'waits',
  };
  return visitor.said
    .filter((line) => /^\w+: /.test(line))
    .map((line) => words[line.split(': ')[1] ?? ''] ?? line)
    .toSorted();
}

function closed(): string[] {
  return world.desk.accepted
    .filter(({ method }) => method === 'POST')
    .map(({ path }) => path.replace('/close', ''));
}

function say(text: string): void {
  console.log(text);
}
