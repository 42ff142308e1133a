import * as z from 'zod';
import { eventTypes } from './event-types.ts';
import { SetError } from './set-error.ts';

const text = z.string().min(1);

/** What the definitions of events require, of those whose meaning depends on it. */
const payloads: Readonly<Record<string, z.ZodType>> = {
  [eventTypes.tokenClaimsChange]: z.looseObject({ claims: z.record(z.string(), z.unknown()) }),
  [eventTypes.credentialChange]: z.looseObject({
    credential_type: text,
    change_type: z.enum(['create', 'revoke', 'update', 'delete']),
  }),
  [eventTypes.assuranceLevelChange]: z.looseObject({
    namespace: text,
    current_level: text,
    change_direction: z.enum(['increase', 'decrease']).optional(),
  }),
  [eventTypes.deviceComplianceChange]: z.looseObject({
    previous_status: z.enum(['compliant', 'not-compliant']),
    current_status: z.enum(['compliant', 'not-compliant']),
  }),
  [eventTypes.riskLevelChange]: z.looseObject({
    principal: text,
    current_level: z.enum(['LOW', 'MEDIUM', 'HIGH']),
  }),
  [eventTypes.verification]: z.looseObject({ state: z.string().optional() }),
  [eventTypes.streamUpdated]: z.looseObject({ status: z.enum(['enabled', 'paused', 'disabled']) }),
};

/** Checks what an event says. @throws {SetError} `invalid_request` when it is not what its type requires. */
export function checkPayload(type: string, payload: unknown): Readonly<Record<string, unknown>> {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    throw new SetError('invalid_request', 'the event is not an object');
  const schema = Object.hasOwn(payloads, type) ? payloads[type] : undefined;
  const result = schema?.safeParse(payload);
  if (result?.success === false) {
    const fields = result.error.issues.map(({ path }) => path.join('.')).join(', ');
    throw new SetError('invalid_request', `the event is not as its type requires: ${fields}`);
  }
  return payload as Readonly<Record<string, unknown>>;
}
