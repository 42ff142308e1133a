export type { AgentLike } from './agent.ts';
export {
  type AgentTool,
  type AgentToolDefinition,
  type AgentToolFields,
  agentTool,
  type StreamingAgentToolDefinition,
} from './agent-tool.ts';
export type { Answers } from './answers.ts';
export type { NotResumed } from './continue-run.ts';
export type {
  AnyTool,
  CredentialExecuteOptions,
  CredentialTool,
  CredentialToolDefinition,
  FinishedTool,
  PassThroughKey,
  SdkExecuteOptions,
  ToolFields,
} from './credential-tool.ts';
export type { Guard } from './guarded-calls.ts';
export type { PartialResult, TaskOutcome } from './outcome.ts';
export type { PausedRun, PendingCall } from './paused-run.ts';
export {
  type ResumedAgent,
  type Resumer,
  type ResumeSettings,
  type ResumeTaskOptions,
  resumeTask,
} from './resume-task.ts';
export type { StreamRun } from './run-loop.ts';
export { runTask } from './run-task.ts';
export { principalOf, withCredential } from './with-credential.ts';
export { withCredentials } from './with-credentials.ts';
export { type TaskAgent, withTask } from './with-task.ts';
