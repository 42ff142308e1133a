// biome-ignore-all assist/source/organizeImports: in reading order.
/**
 * The credential lifecycle of long-running AI agent tasks.
 *
 * @packageDocumentation
 */

export { createOutlive } from './outlive.ts';
export type { ConfiguredResources, Outlive } from './outlive.ts';
export type {
  KeysConfiguration,
  OutliveOptions,
  PolicyConfiguration,
  ProviderConfiguration,
  ResourceConfiguration,
  TokenExchangeConfiguration,
} from './configuration.ts';
export type { ActorRequest, ActorToken, ActorTokenSource } from './actor-token.ts';

export type { StartTask } from './start-task.ts';
export type { ResumeRun } from './resume-run.ts';
export type { StartRun, Task } from './task.ts';
export { hasEnded, transition } from './task-state.ts';
export type { TaskEvent, TaskStatus } from './task-state.ts';
export type { TaskEnd } from './tasks.ts';

export { defineResource } from './resource.ts';
export type { Register, Resource, ResourceInput, ScopeOf } from './resource.ts';
export type { Effect, Requirement } from './requirement.ts';
export type { Principal, PrincipalHandle } from './principal.ts';

export { markRequirement, requirementOf, toolRequirements } from './credential-marker.ts';
export type { AgentRun, Refusal, RunEnd } from './agent-run.ts';
export type { GuardedCall } from './guarded-call.ts';
export type { CallAttributes } from './call-attributes.ts';
export type { CallInvocation } from './call-entry.ts';
export type { CallOutcome, LedgerEntry, StoredCall } from './call-record.ts';
export type { RunOutcome } from './run-outcome.ts';
export {
  checkPausedRun,
  endedRun,
  failedRun,
  type PausedRunReference,
  stillPaused,
  type UnresumedRun,
  wrongPausedRun,
} from './unresumed-run.ts';

export type { GrantSummary, Grants } from './grants.ts';
export type { GrantReference, ImportedTokens, ImportGrant } from './grant-import.ts';
export type { Connect } from './connect.ts';
export type {
  ConnectionOptions,
  DeviceConnection,
  FinishConnection,
  StartBackchannelConnection,
  StartConnection,
  StartDeviceConnection,
  StartedConnection,
} from './connection-options.ts';
export type { ConnectionResult } from './connection-record.ts';
export type { PendingConnection } from './decoupled-connection.ts';
export type { AccessTokenSlot } from './grant-record.ts';
export type { TokenRequest } from './token-source.ts';
export { issuerProfiles, strictIssuer } from './issuer-profile.ts';
export type { IssuerProfile, KnownIssuer, RotationBehaviour } from './issuer-profile.ts';
export type { DelegationStrategyName } from './delegation.ts';
export type { DelegationEnd } from './delegations.ts';
export type { Journal, JournalEntry } from './journal.ts';

export { alwaysActive } from './gate.ts';
export type {
  Gate,
  GateContext,
  GateMoment,
  GateSource,
  UnknownTolerance,
  UserState,
} from './gate.ts';
export type { GrantActivity } from './grant-activity.ts';
export type { Hold, HoldListener } from './holds.ts';
export type { UserStateReport } from './subject-state.ts';
export type { DirectorySubject } from './directory-subject.ts';
export { eventMemoryMs } from './directory.ts';
export type { Directory, EventReceipt } from './directory.ts';
export type { ReceivedEvent, SubjectAction, SubjectEvent } from './subject-event.ts';
export type {
  KillSwitch,
  KillSwitches,
  KillSwitchTarget,
  KillSwitchWord,
  SwitchScope,
} from './kill-switches.ts';

export type {
  Approver,
  ApproverRole,
  Confirmation,
  Decision,
  Pause,
  PauseNotice,
  PauseReason,
  PauseStep,
} from './pause-record.ts';
export { defaultEscalation } from './escalation.ts';
export type {
  Escalation,
  EscalationContext,
  EscalationPolicy,
  EscalationStep,
} from './escalation.ts';
export type { EscalationNotice, Notifier, NotifyContext } from './notifier.ts';
export { webhookNotifier } from './webhook-notifier.ts';
export type { WebhookNotifierOptions } from './webhook-notifier.ts';
export { consoleNotifier } from './console-notifier.ts';
export type { Authorizer } from './runtime.ts';
export type { DecisionRequest, DecisionResult } from './decide-pause.ts';
export type { ResumePause, Resumption } from './resume-pause.ts';

export type { AuditEvent, AuditEventType } from './audit-event.ts';
export type { AuditProblem } from './audit-problem.ts';
export type { AuditEntry, AuditHead, ChainVerification } from './audit-chain.ts';
export type { AuditSink } from './audit-sink.ts';
export { jsonLinesSink } from './json-lines-sink.ts';
export type { ExplainedStatus, Explanation } from './explain.ts';
export type { StreamHead, VerifyOptions } from './verify.ts';
export { factsOf } from './explained-facts.ts';
export type {
  ExplainedAuthority,
  ExplainedCall,
  ExplainedDecision,
  ExplainedFacts,
} from './explained-facts.ts';
export type { MaintenanceReport } from './maintenance.ts';
export type { RetentionConfiguration } from './retention.ts';
export type { CloseOptions, DrainReport, UnfinishedRefresh } from './drain.ts';

export { StoreError } from './store.ts';
export type {
  ListedRecord,
  RecordIndex,
  RecordKind,
  RecordQuery,
  Store,
  StoredRecord,
  StreamEntry,
  WatchTarget,
} from './store.ts';
export { memoryStore } from './memory-store.ts';
export { SealingError } from './sealing.ts';
export type { KeyRing } from './key-ring.ts';

export { AuthError, ConfigurationError, RequestRefusedError } from './errors.ts';
export type { AuthErrorCode, AuthErrorOptions, Recovery } from './errors.ts';
export { Secret } from './secret.ts';
export { sleep, systemClock } from './clock.ts';
export type { Clock } from './clock.ts';

export { isProtectedTransport } from './protected-transport.ts';
export { checked as checkOptions, principalSchema } from './validation.ts';
