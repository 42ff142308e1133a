import type { RefusalOptions } from './call-authority.ts';
import { AuthError, type AuthErrorCode } from './errors.ts';
import type { PauseReason } from './pause-record.ts';

/** Codes that say that a task is paused or over already: they open no further pause. */
const consequences: ReadonlySet<AuthErrorCode> = new Set([
  'task_paused',
  'task_ended',
  'no_task',
  'not_resumable',
  'cancelled',
]);

/** Whether a refusal is itself the reason to pause, and not the consequence of one. */
export function opensPause(error: AuthError): boolean {
  return !consequences.has(error.code);
}

/** What a pause says about why. */
export function pauseReason(error: AuthError, options: RefusalOptions): PauseReason {
  const { requiredScopes, acrValues, maxAgeSeconds } = options;
  return {
    code: error.code,
    recovery: error.recovery,
    ...(error.reason === undefined ? {} : { reason: error.reason }),
    ...(requiredScopes === undefined ? {} : { requiredScopes }),
    ...(acrValues === undefined ? {} : { acrValues }),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
  };
}

/** The AuthError in `error`; what is none was a failure of the store, the one thing left that throws. */
export function authErrorOf(error: unknown): AuthError {
  return AuthError.find(error) ?? new AuthError('store_unavailable', { cause: error });
}
