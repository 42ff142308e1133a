import { describe, expect, it } from 'vitest';
import type { Agent } from './start-agent.ts';
import { storeKinds } from './store-place.ts';
import { createWorld, type World } from './world.ts';

const processes = 3;
const callers = 20;
/** Others recover an attempt that they have seen unchanged for 2.1 s. */
const policy = { requestTimeoutMs: 2000, settleMs: 100, sendByMs: 1000, maxWaitMs: 60_000 };

// RFC 9449: each process makes its own proofs, with the one key that is kept with the grant.
describe.each(storeKinds)(
  'processes that share a grant in %s whose tokens are bound to a key',
  (store) => {
    it('refresh it once per generation, through new nonces and the death of one of them', async () => {
      const world = await createWorld({ store, dpop: true, accessTokenLifetimeMs: 3000, policy });
      const { issuer, api } = world;
      const { id } = await world.startTask();
      const agents = await world.startAgents(processes);

      await expectServed(agents, id);
      const key = await newestKey(world);
      expect(key).toEqual(expect.any(String));

      // From now on issuer and API want nonces, which no process has yet.
      issuer.options.proofNonces = true;
      api.proofNonces = true;
      await nextGeneration(agents);
      await expectServed(agents, id);

      // One more claims the next refresh, and dies before it presents anything.
      const victim = await world.startAgent({ holdAt: 'claimed' });
      await nextGeneration(agents);
      const lost = expect(victim.call('token', id)).rejects.toThrow(/ProcessEnded/);
      await victim.event('claimed');
      await victim.kill();
      await lost;
      await expectServed(agents, id);

      await expect.poll(async () => (await world.grant())?.status).toBe('idle');
      const issued = issuer.grant(world.grantId).generations;
      expect((await world.grant())?.generation).toBe(issued);
      expect(issuer.counters).toMatchObject({ refreshes: issued, reuseDetected: 0 });
      // A request without the nonce is refused before the token is used, and made once more with it (section 8).
      const [first, ...later] = world.presentations().slice(0, issued);
      expect(first).toBe(1);
      for (const times of later) expect([1, 2]).toContain(times);
      const writes = await Promise.all(agents.map((agent) => agent.call('grantWrites')));
      const claims = writes.flat().filter((status) => status === 'refreshing');
      // One claim was the victim's.
      expect(claims).toHaveLength(issued - 1);
      expect(api.accepted.length).toBeGreaterThanOrEqual(3 * processes * callers);
      expect(await newestKey(world)).toBe(key);
    }, 120_000);
  },
);

/** Everybody gets a token, and the API takes the proof that goes with it. */
async function expectServed(agents: readonly Agent[], taskId: string): Promise<void> {
  const reports = await Promise.all(
    agents.map((agent) => agent.call('serveOnce', taskId, callers)),
  );
  for (const report of reports)
    expect(report).toMatchObject({ served: callers, expired: 0, refused: [], statuses: [] });
}

async function nextGeneration(agents: readonly Agent[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent.call('outliveToken')));
}

/** The key that the newest token is bound to. */
async function newestKey({ issuer }: World): Promise<unknown> {
  const newest = issuer.issuedTokens().findLast(({ type }) => type === 'access_token');
  return newest && (await issuer.accessToken(newest.value))?.keyThumbprint;
}
