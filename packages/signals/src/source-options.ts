import type { Principal, UserState } from '@outlive/core';
import * as z from 'zod';

/** What every gate source is told. */
export interface SourceOptions {
  /** Its name in pauses, holds and the audit log. Default: what kind of source it is. */
  readonly name?: string;
  /** Which principals it knows about. Default all. */
  readonly appliesTo?: (principal: Principal) => boolean;
  readonly fetch?: typeof globalThis.fetch;
}

const fn = z.custom((value) => typeof value === 'function', 'expected a function');

/** The fields of {@link SourceOptions}, and credentials, for schemas of single sources. */
export const sourceFields = {
  name: z.string().min(1).optional(),
  appliesTo: fn.optional(),
  fetch: fn.optional(),
  authorization: z.union([z.string().min(1), fn]).optional(),
} as const;

/** A state that denies. */
export const deniedStateSchema: z.ZodType<Exclude<UserState, 'active' | 'unknown'>> = z.enum([
  'paused',
  'revoked',
  'step_up',
]);
