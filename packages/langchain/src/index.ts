// biome-ignore-all assist/source/organizeImports: in reading order.
export { principalOf, withCredential } from './with-credential.ts';
export type {
  AnyTool,
  CredentialRuntime,
  CredentialTool,
  CredentialToolFields,
  CredentialToolFunction,
} from './credential-tool.ts';

export { credentialMiddleware } from './credential-middleware.ts';
export type {
  ContextSchema,
  CredentialMiddleware,
  CredentialMiddlewareOptions,
  StateSchema,
} from './credential-middleware.ts';
export { serverUser } from './task-starter.ts';
export type { PrincipalRuntime, StartsTasks } from './task-starter.ts';
export { credentialGate } from './credential-gate.ts';
export type { CredentialGate, CredentialGateOptions, GateState } from './credential-gate.ts';
export type { TaskContext } from './tool-runtime.ts';

export { withTask } from './with-task.ts';
export type { TaskAgent } from './with-task.ts';
export type { AgentLike, StreamRun } from './run-agent.ts';
export type { AgentOutcome } from './outcome.ts';
export { resumeTask } from './resume-task.ts';
export type { NotResumed, ResumedAgent, Resumer, ResumeTaskOptions } from './resume-task.ts';
export type { PausedRun } from './paused-run.ts';
export type { RefusedCallMark, UnansweredCall } from './refused-call.ts';
export type { ActionRequest, AuthInterrupt, ReviewConfig } from './auth-interrupt.ts';
