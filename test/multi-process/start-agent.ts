import { onTestFinished } from 'vitest';
import type { AgentCommands } from './agent-commands.ts';
import type { AgentEvent, AgentSetup } from './agent-setup.ts';
import { type ForkedProcess, forkProcess } from './fork-process.ts';

/** A process that works on the shared store. */
export type Agent = ForkedProcess<AgentCommands, AgentEvent>;

const script = new URL('./agent-process.ts', import.meta.url);

/** Starts a process; it is killed when the running test is over. */
export async function startAgent(setup: AgentSetup): Promise<Agent> {
  const agent = await forkProcess<AgentCommands, AgentEvent>(script, setup);
  onTestFinished(() => agent.kill());
  return agent;
}
