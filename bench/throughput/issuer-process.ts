// An issuer with many grants. Argument: how many.
import { createTestIssuer } from '@outlive/testing';
import { childIsReady } from '../child.ts';
import type { SeededTokens } from '../issuer-process.ts';

/** What this process says when it is ready. */
export interface ManyGrantsReady {
  readonly url: string;
  readonly grants: readonly SeededTokens[];
}

const count = Number(process.argv[2]);
const issuer = await createTestIssuer({
  accessTokenLifetimeMs: 3_600_000,
  clients: [{ clientId: 'basic', clientSecret: 'secret' }],
});
const grants: SeededTokens[] = [];
while (grants.length < count)
  grants.push((await issuer.seedGrant({ subject: 'alice', clientId: 'basic' })).tokenResponse);
const ready: ManyGrantsReady = { url: issuer.url, grants };
childIsReady(ready);
