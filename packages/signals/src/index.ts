// biome-ignore-all assist/source/organizeImports: in reading order.
/**
 * What directories say about people, for the gate of Outlive: receivers of pushed events, and sources that are asked.
 *
 * @packageDocumentation
 */

export { createPushReceiver } from './push-receiver.ts';
export type { PushReceiverOptions, WebHandler } from './push-receiver.ts';
export { createPollReceiver } from './poll-receiver.ts';
export type { PollReceiver, PollReceiverOptions, PollReport } from './poll-receiver.ts';
export { createLogoutReceiver } from './logout-receiver.ts';
export type { LogoutReceiverOptions } from './logout-receiver.ts';
export type { ReceiverOptions } from './receiver-options.ts';
export type { ReceiverProblem } from './receiver-problem.ts';
export type { SecurityEventOptions, StreamEvent } from './event-intake.ts';

export { defaultReactions } from './reactions.ts';
export type { Reaction, ReactionRule, Reactions } from './reactions.ts';
export { eventTypes } from './event-types.ts';
export type { SecurityEvent } from './security-event.ts';
export { directorySubjects } from './subject-identifier.ts';

export { createStreamClient } from './stream-client.ts';
export type {
  DeliveryRequest,
  EventStream,
  StreamClient,
  StreamClientOptions,
  StreamRequest,
  StreamStatus,
} from './stream-client.ts';
export type { TransmitterMetadata } from './transmitter-metadata.ts';

export { scimSource } from './scim-source.ts';
export type { ScimSourceOptions } from './scim-source.ts';
export { introspectionSource } from './introspection-source.ts';
export type { IntrospectionSourceOptions } from './introspection-source.ts';
export { authzenSource } from './authzen-source.ts';
export type { AuthzenSourceOptions, EvaluationRequest } from './authzen-source.ts';
export type { DeniedState, SourceOptions } from './source-options.ts';
export type { Credentials } from './json-request.ts';

export { SetError } from './set-error.ts';
export type { SetErrorCode } from './set-error.ts';
export { SignalError } from './signal-error.ts';
