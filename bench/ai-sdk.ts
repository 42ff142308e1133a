// The AI SDK adapter: what a task adds to a whole run of an agent.
import { measureAgentLoop } from './agent-loop.ts';
import { aiSdkLoop } from './ai-sdk-loop.ts';
import { outputOptions, publish } from './publish.ts';
import { describeMachine } from './report.ts';

const output = outputOptions();
const machine = describeMachine();
publish({ benchmark: 'ai-sdk', machine, sections: await measureAgentLoop(aiSdkLoop) }, output);
