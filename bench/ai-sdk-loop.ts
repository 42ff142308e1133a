import { withCredential, withTask } from '@outlive/ai-sdk';
import { callTool, createScriptedModel, say, type TestLanguageModel } from '@outlive/testing';
import { generateText, stepCountIs, type ToolSet, tool } from 'ai';
import { z } from 'zod';
import type { AgentLoop } from './agent-loop.ts';

const steps = 40;
const callsPerStep = 10;
const inputSchema = z.object({ page: z.number() });
const stopWhen = stepCountIs(steps + 1);
const prompt = 'Go through all pages.';

/** A whole run of `generateText`. */
export const aiSdkLoop: AgentLoop = {
  name: 'generateText',
  steps,
  callsPerStep,
  bare(readPage) {
    const tools: ToolSet = { listInvoices: tool({ inputSchema, execute: async () => readPage() }) };
    return async () =>
      (await generateText({ model: modelOfOneRun(), tools, prompt, stopWhen })).steps.length;
  },
  guarded(task, requirement, readPage) {
    const listInvoices = withCredential(requirement, {
      inputSchema,
      execute: async (_input, { principal }) => readPage(principal.fetch),
    });
    const tools: ToolSet = { listInvoices };
    return async () => {
      const settings = { model: modelOfOneRun(), tools, prompt, stopWhen };
      const outcome = await withTask(task, generateText)(settings);
      if (outcome.status !== 'completed') throw new Error(`the run is ${outcome.status}`);
      return outcome.result.steps.length;
    };
  },
};

function modelOfOneRun(): TestLanguageModel {
  return createScriptedModel(({ number }) =>
    number > steps
      ? say('All pages are read.')
      : Array.from({ length: callsPerStep }, (_, index) =>
          callTool('listInvoices', { page: number * callsPerStep + index }),
        ),
  );
}
