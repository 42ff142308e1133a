// The LangChain adapter: what a task adds to a whole run of an agent.
import { measureAgentLoop } from './agent-loop.ts';
import { langchainLoop } from './langchain-loop.ts';
import { outputOptions, publish } from './publish.ts';
import { describeMachine } from './report.ts';

const output = outputOptions();
const machine = describeMachine();
publish(
  { benchmark: 'langchain', machine, sections: await measureAgentLoop(langchainLoop) },
  output,
);
