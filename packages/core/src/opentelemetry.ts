/**
 * Audit entries as OpenTelemetry spans, through `@opentelemetry/api`: your app's SDK decides where they go.
 *
 * @packageDocumentation
 */

export type { OpenTelemetrySinkOptions } from './opentelemetry-sink.ts';
export { openTelemetrySink } from './opentelemetry-sink.ts';
