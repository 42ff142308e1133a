import { AuthError, alwaysActive, createOutlive } from '@outlive/core';
import { benchKeys } from '../../keys.ts';
import { type StoreName, stores } from '../../stores.ts';
import { basicClient, type Contestant, type Session } from '../contestant.ts';

const taskMs = 3_600_000;

/** Outlive on one of the stores, with its defaults: one runtime in each process, as an app has it. */
export function outliveOn(name: StoreName): Contestant {
  let runtime: ReturnType<typeof createRuntime> | undefined;
  const runtimeFor = (session: Session) => {
    runtime ??= createRuntime(session, name);
    return runtime;
  };
  return {
    async prepare(session) {
      const principal = { subject: session.name };
      const { tokens } = session;
      await runtimeFor(session).grants.import({ provider: 'issuer', principal, tokens });
    },
    async open(session) {
      const outlive = runtimeFor(session);
      const requirement = {
        resource: outlive.resources.api,
        scopes: ['read'],
        effect: 'read',
      } as const;
      const task = await outlive.startTask({
        principal: { subject: session.name },
        agent: 'race',
        requirements: [requirement],
        expectedDurationMs: taskMs,
      });
      const run = task.startRun();
      let calls = 0;
      return {
        async call() {
          calls += 1;
          const toolCallId = `c${calls}`;
          const call = run.call({ requirement, toolName: 'items', toolCallId, input: {} });
          try {
            const response = await call.principal.fetch('items');
            await response.arrayBuffer();
            await call.settle({ ok: response.ok });
            return response.status;
          } catch (error) {
            if (AuthError.find(error)?.recovery === 'user') session.loginPrompted();
            throw error;
          }
        },
      };
    },
  };
}

function createRuntime({ issuer, apiUrl, places }: Session, name: StoreName) {
  const place = places[name];
  if (place === undefined) throw new Error(`the store ${name} was not started`);
  return createOutlive({
    store: stores[name].open(place),
    keys: benchKeys,
    providers: { issuer: { issuer, ...basicClient } },
    resources: { api: { provider: 'issuer', baseUrl: apiUrl, scopes: ['read'] } },
    gate: alwaysActive,
  });
}
