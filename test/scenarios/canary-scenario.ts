import assert from 'node:assert/strict';
import type { Task } from '@outlive/core';
import { resumeElsewhere } from './resume-elsewhere.ts';
import { answerOf, pausedOf, type ScenarioScript } from './scenario.ts';
import { scopes } from './scenario-runtime.ts';
import { dump, leftBehind, secretsIn } from './secrets.ts';
import { refuseOneOfThree } from './story-scenarios.ts';

/** Every token that ever existed is searched for in everything that a whole story leaves behind. */
export const canaryScenario: ScenarioScript = {
  name: 'no token is in anything that a run, its pause and its resumption in another process leave behind',
  async play(adapter, world) {
    const { issuer, api, outlive } = world;
    const task = await world.startTask();
    // Each process refreshes once, so that rotated tokens are among the canaries.
    api.rejectNext(1);
    const run = await refuseOneOfThree(adapter, world, task);
    const { pause, state } = pausedOf(world, run);
    const refusal = await refusalOf(task);
    const whilePaused = world.storedBytes();
    await world.reconnect(scopes);
    await world.approve(pause.id);
    api.rejectNext(1);
    const resumed = await resumeElsewhere({
      ...{ adapter, setup: world.setup, state, decline: [] },
      model: { turns: ['All is paid.'] },
    });
    assert.equal(answerOf(world, resumed), 'All is paid.');
    const end = await task.complete();
    const explanation = await outlive.explain(task.id);
    const stored = world.storedBytes();

    const tokens = [
      ...new Set([...issuer.issuedTokens().map(({ value }) => value), ...api.tokens()]),
    ];
    const refreshTokens = issuer.issuedTokens().filter(({ type }) => type === 'refresh_token');
    // Two connections and two refreshes, with a pair of tokens each.
    assert.equal(refreshTokens.length, 4);
    assert.equal(tokens.length, 8);

    const places: Readonly<Record<string, string | readonly Buffer[]>> = {
      'the first run': leftBehind(run),
      'an error of the first process': refusal,
      'the resumed run': [dump(resumed), resumed.dumped].join('\n'),
      'prompts of the model': [...run.prompts, ...resumed.prompts].map(({ text }) => text).join(),
      'state of the run': JSON.stringify(state),
      'principals of tools': world.handles.map(dump).join(),
      'pause, task, end and runtime': [pause, task, end, outlive].map(dump).join(),
      'audit log': [world.audited, explanation.entries].map(dump).join(),
      'the timeline': explanation.text,
      'output of the other process': resumed.printed,
      'files while paused': whilePaused,
      'files at the end': stored,
    };
    for (const [place, content] of Object.entries(places)) {
      assert.ok(content.length > 0 || place.startsWith('output'), `${place}: nothing to search`);
      const texts = typeof content === 'string' ? [content] : content;
      const found = texts.flatMap((text) => secretsIn(text, tokens));
      assert.equal(found.length, 0, `${place}: holds ${found.length} tokens`);
    }
    assertSearchFinds(tokens[0] ?? '');
  },
};

/** What a paused task says to whoever asks it for a token, in every form. */
async function refusalOf(task: Task): Promise<string> {
  try {
    await task.getAccessToken({ resource: 'billing', scopes: ['billing.see'], effect: 'read' });
  } catch (error) {
    return dump(error);
  }
  throw new Error('expected a refusal');
}

/** A search that finds nothing anywhere proves nothing. */
function assertSearchFinds(token: string): void {
  const hidden = Object.defineProperty(new Error('x'), 'token', { value: token });
  const places = [{ deep: { er: [token] } }, hidden, new Error('y', { cause: hidden })];
  for (const place of places) assert.deepEqual(secretsIn(dump(place), [token]), [token]);
  assert.deepEqual(secretsIn(Buffer.from(token).toString('base64'), [token]), [token]);
}
