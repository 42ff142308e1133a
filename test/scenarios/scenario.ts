import assert from 'node:assert/strict';
import type { Pause, Task } from '@outlive/core';
import type { AdapterUnderTest, NeutralRun } from './adapter-under-test.ts';
import { createScenarioWorld, type ScenarioWorld } from './scenario-world.ts';
import { secretsIn, shown } from './secrets.ts';

/** One scenario. `run` rejects with an AssertionError if the adapter does not keep to it. */
export interface Scenario {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** A scenario that does not yet know its adapter. */
export interface ScenarioScript {
  readonly name: string;
  readonly play: (adapter: AdapterUnderTest, world: ScenarioWorld) => Promise<void>;
}

/** What every run is asked; scripted models do not care. */
export const prompt = 'Pay what is due.';

/** The scripts for one adapter, each in a world of its own. */
export function scenariosOf(
  adapter: AdapterUnderTest,
  scripts: readonly ScenarioScript[],
): readonly Scenario[] {
  return scripts.map(({ name, play }) => ({
    name,
    async run() {
      await using world = await createScenarioWorld();
      await play(adapter, world);
    },
  }));
}

/** What a run must have left when it is paused: the pause, and the state to resume with. Nothing of it is unsafe. */
export function pausedOf(
  world: ScenarioWorld,
  run: NeutralRun,
): { readonly pause: Pause; readonly state: unknown } {
  const { status, pause, state, error } = run.outcome;
  assert.equal(status, 'paused', `expected a paused run, got ${status}: ${String(error)}`);
  assert.ok(pause !== undefined && state !== undefined);
  assert.equal(run.outcome.answer, undefined);
  assertSafe(world, run);
  return { pause, state };
}

/** What a run must have left when it is completed: the answer of the model. */
export function answerOf(world: ScenarioWorld, run: NeutralRun): string | undefined {
  const { status, answer, error } = run.outcome;
  assert.equal(status, 'completed', `expected a completed run, got ${status}: ${String(error)}`);
  assertSafe(world, run);
  return answer;
}

/** No token, URL, scope or text of the issuer is in what models and browsers see. */
export function assertSafe({ issuer, api }: ScenarioWorld, run: NeutralRun): void {
  const unsafe = [
    ...issuer.issuedTokens().map(({ value }) => value),
    ...[issuer.url, api.url, 'billing.example'],
    ...['billing.see', 'billing.note', 'billing.pay'],
    ...['The access token is', 'A different authentication', 'invalid_grant', 'invalid_token'],
  ];
  assert.deepEqual(secretsIn(shown(run), unsafe), []);
}

/** What the ledger says, as `id outcome`, in the order of the ids. */
export function ledgerOf({ outcome }: NeutralRun): readonly string[] {
  return outcome.ledger.map((entry) => `${entry.toolCallId} ${entry.outcome}`).toSorted();
}

/** What the model was told about its calls in its last turn, by id. */
export function resultsOf({ prompts }: NeutralRun): Readonly<Record<string, string>> {
  const results = prompts.at(-1)?.results ?? [];
  return Object.fromEntries(
    results.map(({ toolCallId, text, isError }) => [toolCallId, isError ? 'an error' : text]),
  );
}

/** Completes the task; then its audit log must be whole and tell these events, with others between them. */
export async function assertToldInOrder(
  { outlive }: ScenarioWorld,
  task: Task,
  story: readonly string[],
): Promise<void> {
  assert.equal((await task.complete()).status, 'completed');
  const { entries, text, status, verified } = await outlive.explain(task.id);
  const told = entries.map(({ type, toolCallId, outcome }) =>
    type.startsWith('tool-call-') ? `${type} ${toolCallId} ${outcome ?? ''}`.trim() : type,
  );
  let from = 0;
  for (const event of story) {
    const found = told.indexOf(event, from);
    assert.notEqual(found, -1, `expected ${event} after ${told[from - 1]} in:\n${text}`);
    from = found + 1;
  }
  assert.equal(status, 'completed');
  assert.ok(
    verified.every(({ ok }) => ok),
    text,
  );
  assert.equal((await outlive.verify(task.id)).ok, true);
}

/** Something that one part of a scenario waits for and another part does. */
export interface Latch {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

/** Makes a latch that is not open yet. */
export function createLatch(): Latch {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
