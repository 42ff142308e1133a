import { trace } from '@opentelemetry/api';
import { findSpansWith } from './call-span.ts';

/**
 * From now on the span in which the SDK executes a credentialed tool says what the call acted with: `outlive.task.id`,
 * `outlive.principal.hash`, `outlive.resource`, `outlive.token.generation`, `outlive.call.outcome`, and for a refusal
 * `outlive.auth.code` and `outlive.pause.id`. Never a token, an argument or a scope.
 *
 * Call it once, where the app sets up its traces. The spans themselves are the SDK's: `experimental_telemetry` in
 * `ai` 6, `@ai-sdk/otel` in `ai` 7.
 */
export function traceCredentialedCalls(): void {
  findSpansWith(() => trace.getActiveSpan());
}
