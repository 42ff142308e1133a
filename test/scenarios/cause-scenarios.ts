import assert from 'node:assert/strict';
import type { AuthErrorCode } from '@outlive/core';
import type { ScriptedCall } from './adapter-under-test.ts';
import {
  answerOf,
  assertToldInOrder,
  ledgerOf,
  pausedOf,
  prompt,
  type ScenarioScript,
} from './scenario.ts';
import { scopes } from './scenario-runtime.ts';
import { firstScopes, principal, type ScenarioWorld } from './scenario-world.ts';

/** Something for which a call may be refused in the middle of a run. */
interface Cause {
  readonly name: string;
  readonly code: AuthErrorCode;
  /** Default: a note, which the API serves unless something happened. */
  readonly call?: ScriptedCall;
  /** Makes it happen; done once more, it still holds. */
  readonly happen: (world: ScenarioWorld) => void | Promise<void>;
  readonly repair: (world: ScenarioWorld) => void | Promise<void>;
}

const note: ScriptedCall = { tool: 'addNote', id: 'note' };

const causes: readonly Cause[] = [
  {
    name: 'the user is revoked, which is pushed, and reinstated',
    code: 'user_state',
    async happen({ issuer, outlive }) {
      issuer.user(principal.subject).active = false;
      await outlive.reportUserState(principal, { state: 'revoked', source: 'directory' });
    },
    async repair({ issuer, outlive }) {
      issuer.user(principal.subject).active = true;
      await outlive.reportUserState(principal, { state: 'active', source: 'directory' });
    },
  },
  {
    name: 'the user is disabled, and nobody tells but the API',
    code: 'user_state',
    happen({ issuer }) {
      issuer.user(principal.subject).active = false;
    },
    repair({ issuer }) {
      issuer.user(principal.subject).active = true;
    },
  },
  {
    name: 'the account is disconnected at the issuer, and connected anew',
    code: 'reauthorization_required',
    happen: (world) => world.disconnect(),
    repair: (world) => world.reconnect(firstScopes),
  },
  {
    name: 'the API wants a scope that the grant lacks (403), and the account is connected with it',
    code: 'insufficient_scope',
    call: { tool: 'payInvoice', id: 'note' },
    happen: () => undefined,
    repair: (world) => world.reconnect(scopes),
  },
  {
    name: 'the API wants a stronger sign-in (RFC 9470), and gets it',
    code: 'step_up_required',
    happen({ api }) {
      api.requireStepUp = { acrValues: ['urn:mfa'], maxAge: 60 };
    },
    repair({ api }) {
      api.requireStepUp = undefined;
    },
  },
  {
    name: 'the API refuses the token and the refreshed one too, and comes to its senses',
    code: 'rejected_after_refresh',
    happen: ({ api }) => api.rejectNext(2),
    repair: ({ api }) => api.rejectNext(0),
  },
];

/** Every cause stops the run where it is; the run goes on when the cause has gone and people agree, not before. */
export const causeScenarios: readonly ScenarioScript[] = causes.map(
  ({ name, code, call = note, happen, repair }) => ({
    name: `${name}: paused, still paused while it lasts, then resumed`,
    async play(adapter, world) {
      const task = await world.startTask();
      world.moments.toolStarted = async (started) => {
        if (started === 'wait:idle') await happen(world);
      };
      const run = await adapter.start(task, {
        ...{ prompt, tools: world.tools },
        model: {
          turns: [[{ tool: 'listInvoices', id: 'list' }], [{ tool: 'wait', id: 'idle' }], [call]],
        },
      });

      const first = pausedOf(world, run);
      assert.equal(run.prompts.length, 3);
      assert.equal(first.pause.reason.code, code);
      assert.equal(first.pause.call?.toolCallId, 'note');
      assert.deepEqual(ledgerOf(run), ['list done', 'note refused']);

      const undecided = await adapter.resume(world.outlive, first.state, {
        tools: world.tools,
        model: { turns: [] },
      });
      assert.deepEqual(pausedOf(world, undecided).state, first.state);
      assert.equal(undecided.prompts.length, 0);

      await world.approve(first.pause.id);
      await happen(world);
      const premature = await adapter.resume(world.outlive, first.state, {
        tools: world.tools,
        model: { turns: [] },
      });
      const again = pausedOf(world, premature);
      assert.equal(premature.prompts.length, 0);
      assert.equal(world.served('/notes') + world.served('/payments'), 0);

      await repair(world);
      if (again.pause.status === 'open') await world.approve(again.pause.id);
      const before = world.executed.length;
      const resumed = await adapter.resume(world.outlive, again.state, {
        tools: world.tools,
        model: { turns: ['Done.'] },
      });
      assert.equal(answerOf(world, resumed), 'Done.');
      assert.equal(resumed.prompts.length, 1);
      assert.deepEqual(world.executed.slice(before), [`${call.tool}:note`]);
      assert.deepEqual(ledgerOf(resumed), ['note done']);
      assert.equal(world.served('/notes') + world.served('/payments'), 1);
      await assertToldInOrder(world, task, [
        'task-paused',
        'tool-call-settled note refused',
        'decision-made',
        'task-resumed',
        'tool-call-settled note done',
        'task-completed',
      ]);
    },
  }),
);
