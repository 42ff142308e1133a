import {
  checkOptions,
  type Gate,
  type GateSource,
  type Principal,
  type UserState,
} from '@outlive/core';
import * as z from 'zod';

/** What every gate source is told. */
export interface SourceOptions {
  /** Its name in pauses, holds and the audit log. Default: what kind of source it is. */
  readonly name?: string;
  /** Which principals it knows about. Default all. */
  readonly appliesTo?: (principal: Principal) => boolean;
}

/** A state that denies. */
export type DeniedState = Exclude<UserState, 'active' | 'unknown'>;

/** A state that denies, as options say it. */
export const deniedStateSchema: z.ZodType<DeniedState> = z.enum(['paused', 'revoked', 'step_up']);

/** A function, as options say it. */
export const functionSchema: z.ZodType = z.custom(
  (value) => typeof value === 'function',
  'expected a function',
);

/** @throws {ConfigurationError} naming every wrong option by its path. */
export function checkSource(
  fields: Readonly<Record<string, z.ZodType>>,
  options: SourceOptions,
  what: string,
): void {
  const common = { name: z.string().min(1).optional(), appliesTo: functionSchema.optional() };
  checkOptions(z.strictObject({ ...common, ...fields }), options, what);
}

/** A source that asks with `check`, named and limited as its options say. */
export function createSource(options: SourceOptions, kind: string, check: Gate): GateSource {
  const { name = kind, appliesTo } = options;
  return { name, check, ...(appliesTo === undefined ? {} : { appliesTo }) };
}
