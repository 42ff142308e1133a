export type { AccessTokenFacts, Actor } from './access-token-facts.ts';
export type { ApiRoute, ApiRoutes, RouteContext } from './api-routes.ts';
export type { BackchannelRequest } from './backchannel-authentication.ts';
export type { AuthorizeOptions } from './code-flow.ts';
export { type Cut, type CuttingProxy, createCuttingProxy } from './cutting-proxy.ts';
export { createFakeClock, type FakeClock } from './fake-clock.ts';
export type { FaultPlan, TokenFault, TokenRequestFacts } from './issuer-faults.ts';
export type {
  GrantState,
  IssuedToken,
  IssuerCounters,
  TokenPresentations,
} from './issuer-ledger.ts';
export type {
  RefreshTokenReuse,
  TestClient,
  TestIssuerBehaviour,
  TestIssuerOptions,
  TestResources,
} from './issuer-options.ts';
export type { SeededGrant, SeedGrantOptions, TokenResponse } from './issuer-seed.ts';
export type { TestUser } from './issuer-users.ts';
export type {
  ModelCallOptions,
  ModelFinishReason,
  ModelResult,
  ModelStreamPart,
  ModelUsage,
  PromptMessage,
  PromptPart,
  TestLanguageModel,
  TextPart,
  ToolCallPart,
} from './language-model.ts';
export { type ServedHandler, serveHandler, type WebHandler } from './loopback-handler.ts';
export {
  createMisbehavingModel,
  type MisbehavingModelOptions,
  type Misbehaviour,
  misbehaviours,
} from './misbehaving-model.ts';
export {
  type AcceptedRequest,
  createProtectedApi,
  type ProtectedApi,
  type ProtectedApiOptions,
} from './protected-api.ts';
export {
  callTool,
  createScriptedModel,
  type ModelScript,
  type ModelToolResult,
  type ModelTurn,
  type ScriptedToolCall,
  say,
  type TurnContext,
} from './scripted-model.ts';
export { createSetSigner, type SetSigner, type SigningChoices } from './set-signer.ts';
export {
  type StoreContractCase,
  type StoreContractOptions,
  storeContract,
} from './store-contract.ts';
export {
  type ContractServer,
  type StoreOutageOptions,
  storeOutageContract,
} from './store-outages.ts';
export { createTestDirectory, type DirectoryOutage, type TestDirectory } from './test-directory.ts';
export { createTestIssuer, type TestIssuer } from './test-issuer.ts';
export {
  createTestTransmitter,
  type PushResult,
  type TestTransmitter,
  type TransmittedEvent,
} from './test-transmitter.ts';
export type { StepUp } from './token-challenge.ts';
export type { StreamDelivery, TestStream } from './transmitter-streams.ts';
