import type { CallAuthority, CallToken, RefusalOptions } from '../src/call-authority.ts';
import { systemClock } from '../src/clock.ts';
import { AuthError, type AuthErrorCode } from '../src/errors.ts';
import { createProofMaker } from '../src/proof-of-possession.ts';
import { Secret } from '../src/secret.ts';

/** Proofs for tokens that are bound to a key. */
export const proofs = createProofMaker(systemClock);

/** An authority that counts its tokens up and writes down what it is asked, in order. */
export interface ScriptedAuthority extends CallAuthority {
  readonly log: string[];
  readonly refusals: { readonly code: AuthErrorCode; readonly options: RefusalOptions }[];
}

export function tokenOf(generation: number): string {
  return `token-${generation}-canary`;
}

export function bearerToken(generation: number, value: string = tokenOf(generation)): CallToken {
  return { value: new Secret(value), generation };
}

/** Hands out token 1, and after each 401 the next one. `overrides` replaces what a test wants otherwise. */
export function createScriptedAuthority(overrides: Partial<CallAuthority> = {}): ScriptedAuthority {
  const log: string[] = [];
  const refusals: ScriptedAuthority['refusals'] = [];
  return {
    log,
    refusals,
    acquire() {
      log.push('acquire');
      return overrides.acquire?.() ?? bearerToken(1);
    },
    async renew(failed) {
      log.push(`renew ${failed.generation}`);
      return (await overrides.renew?.(failed)) ?? bearerToken(failed.generation + 1);
    },
    async refuse(code, options) {
      log.push(`refuse ${code}`);
      refusals.push({ code, options });
      return (
        (await overrides.refuse?.(code, options)) ?? new AuthError(code, { ref: 'p1', ...options })
      );
    },
    beforeSend() {
      log.push('beforeSend');
      return overrides.beforeSend?.();
    },
    afterSend(outcome) {
      log.push(`afterSend ${outcome}`);
    },
  };
}
