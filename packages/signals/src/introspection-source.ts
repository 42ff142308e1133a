import { checkOptions, type GateSource, type UserState } from '@outlive/core';
import * as z from 'zod';
import { SignalError } from './signal-error.ts';
import { deniedStateSchema, type SourceOptions, sourceFields } from './source-options.ts';

/** Options of {@link introspectionSource}. */
export interface IntrospectionSourceOptions extends Omit<SourceOptions, 'fetch'> {
  /** Name of the provider, as in `createOutlive`, whose issuer is asked. */
  readonly provider: string;
  /** What a principal is whose grant the issuer does not honour any more. Default `revoked`. */
  readonly whenInactive?: Exclude<UserState, 'active' | 'unknown'>;
}

/**
 * A gate source that asks an issuer whether it still honours the principal's grant (RFC 7662). The refresh token is
 * introspected by the runtime, which has no side effect at the issuer; this source never sees it.
 *
 * A principal without a grant at the provider is `active` as far as this source can tell: there is nothing to revoke.
 *
 * @throws {ConfigurationError} naming every wrong option.
 */
export function introspectionSource(options: IntrospectionSourceOptions): GateSource {
  const { name: nameField, appliesTo: appliesToField } = sourceFields;
  const schema = z.strictObject({
    name: nameField,
    appliesTo: appliesToField,
    provider: z.string().min(1),
    whenInactive: deniedStateSchema.optional(),
  });
  checkOptions(schema, options, 'introspectionSource');
  const { name = 'introspection', provider, whenInactive = 'revoked', appliesTo } = options;
  return {
    name,
    ...(appliesTo === undefined ? {} : { appliesTo }),
    async check(_principal, { introspect }) {
      const activity = await introspect(provider);
      if (activity === 'unknown')
        throw new SignalError('unreachable', { problem: 'the issuer could not be asked' });
      return activity === 'inactive' ? whenInactive : 'active';
    },
  };
}
