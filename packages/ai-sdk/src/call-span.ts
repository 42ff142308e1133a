import type { CallAttributes, GuardedCall } from '@outlive/core';

/** A span, as far as calls are told on it. */
export interface CallSpan {
  setAttributes(attributes: { [Name in keyof CallAttributes]: CallAttributes[Name] }): unknown;
}

/** Where tool calls find the span they are executed in. Nowhere, until somebody says so. */
let activeSpan: () => CallSpan | undefined = () => undefined;

const spans = new WeakMap<GuardedCall, CallSpan>();

/** Says where calls find their span. */
export function findSpansWith(find: () => CallSpan | undefined): void {
  activeSpan = find;
}

/** Called where the SDK calls the tool: only there is the span of the call sure to be the active one. */
export function beginSpan(call: GuardedCall): void {
  const span = activeSpan();
  if (span === undefined) return;
  spans.set(call, span);
  describe(call);
}

/** Tells what is known of a call now, on its span. */
export function describe(call: GuardedCall): void {
  spans.get(call)?.setAttributes(call.attributes);
}
