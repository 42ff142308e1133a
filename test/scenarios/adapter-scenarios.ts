import type { AdapterUnderTest } from './adapter-under-test.ts';
import { canaryScenario } from './canary-scenario.ts';
import { causeScenarios } from './cause-scenarios.ts';
import { loopScenarios } from './loop-scenarios.ts';
import { resumeScenarios } from './resume-scenarios.ts';
import { type Scenario, scenariosOf } from './scenario.ts';
import { storyScenarios } from './story-scenarios.ts';

/**
 * What every adapter proves, as scenarios for any test runner: a refused call stops the loop, nothing of its
 * siblings is lost, and exactly the refused call runs again when people agree, in whichever process.
 *
 * Everything is real but the model: issuer, API, store, framework.
 *
 * @example
 * for (const { name, run } of adapterScenarios(createAdapter('generateText'))) it(name, run);
 */
export function adapterScenarios(adapter: AdapterUnderTest): readonly Scenario[] {
  return scenariosOf(adapter, [
    ...storyScenarios,
    ...causeScenarios,
    ...resumeScenarios,
    ...loopScenarios,
    canaryScenario,
  ]);
}
