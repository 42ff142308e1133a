import { AuthError } from '@outlive/core';
import type { ErrorReport } from './agent-setup.ts';

/** What can be told of `error` to another process. */
export function errorReport(error: unknown): ErrorReport {
  if (!(error instanceof Error)) return { name: 'unknown', message: String(error), causes: [] };
  const { name, message } = error;
  const code = 'code' in error ? String(error.code) : undefined;
  const found = AuthError.is(error) ? error : undefined;
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    ...(found?.reason === undefined ? {} : { reason: found.reason }),
    ...(found?.ref === undefined ? {} : { ref: found.ref }),
    causes: causesOf(error),
  };
}

function causesOf(error: Error): string[] {
  const { cause } = error;
  return cause instanceof Error ? [`${cause.name}: ${cause.message}`, ...causesOf(cause)] : [];
}
