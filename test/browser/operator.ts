import { join } from 'node:path';
import { alwaysActive, createOutlive, type Outlive } from '@outlive/core';
import { sqliteStore } from '@outlive/sqlite';
import type { World } from '../../examples/starter-next-chat/src/world/world.ts';

/** Whoever runs the app: another process on its store, in which an admin decides. */
export function createOperator({ folder, environment, desk, issuer }: World): Outlive {
  const key = (name: string): Uint8Array => Buffer.from(environment[name] ?? '', 'base64');
  return createOutlive({
    store: sqliteStore({ path: join(folder, 'outlive.db') }),
    keys: { current: 'k1', ring: { k1: key('SEALING_KEY') }, hash: key('HASH_KEY') },
    providers: {
      desk: {
        issuer: issuer.url,
        clientId: environment['CLIENT_ID'] ?? '',
        clientSecret: environment['CLIENT_SECRET'] ?? '',
      },
    },
    resources: {
      desk: { provider: 'desk', baseUrl: desk.url, scopes: ['tickets:read', 'tickets:write'] },
    },
    gate: alwaysActive,
    policy: { maintainMs: 0, authorize: ({ by }) => ({ id: by, roles: ['admin'] }) },
  });
}

/** The directory says that the person is suspended, or that they are back. */
export function reportAna(operator: Outlive, state: 'active' | 'paused'): Promise<void> {
  return operator.reportUserState({ subject: 'ana' }, { state, source: 'directory' });
}

/** An admin lets every task go on that waits. */
export async function confirmAsAdmin(operator: Outlive): Promise<void> {
  for await (const { id } of operator.waitingPauses()) {
    const { status } = await operator.decide(id, { decision: 'resume', by: 'the admin' });
    if (status !== 'decided') throw new Error(`expected a decision, it is ${status}`);
  }
}
