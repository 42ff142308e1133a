import * as z from 'zod';
import { ConfigurationError } from './errors.ts';
import {
  accessTokenSlot,
  expectedTokenType,
  type GrantRecord,
  type SlotTiming,
} from './grant-record.ts';
import type { Principal } from './principal.ts';
import { Secret } from './secret.ts';
import { checked, principalSchema } from './validation.ts';

/** Which grant is meant: a principal's authority at a provider, and which of several accounts there. */
export interface GrantReference {
  readonly provider: string;
  readonly principal: Principal;
  /** Tells several accounts of one principal at one provider apart. Default `default`. */
  readonly account?: string;
}

/** A token response (RFC 6749 section 5.1) that the app already holds. */
export interface ImportedTokens {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly token_type?: string;
  /** Seconds. */
  readonly expires_in?: number;
  readonly scope?: string;
}

/** What `grants.import` takes. */
export interface ImportGrant extends GrantReference {
  readonly tokens: ImportedTokens;
  /** The resource that the access token is for, by name. */
  readonly resource?: string;
  /** Resource indicators the grant covers; a request for another one is refused before it is sent. */
  readonly resources?: readonly string[];
  /** Epoch ms at which `expires_in` began to count. Default: now. */
  readonly issuedAt?: number;
  /** The private key that the tokens are bound to (DPoP, RFC 9449), as a JWK; with `token_type` "DPoP". */
  readonly proofKey?: Readonly<Record<string, unknown>>;
  /** Replaces a grant that is still alive. */
  readonly replace?: boolean;
  /** Subject at the issuer, from an ID token that you verified: a renewal must come back with the same. */
  readonly issuerSubject?: string;
}

const text = z.string().min(1);
const proofKeySchema = z.looseObject(
  { kty: z.literal('EC'), crv: z.literal('P-256'), x: text, y: text, d: text },
  'expected a private JWK of an EC key on P-256',
);
const importSchema = z.strictObject({
  provider: text,
  principal: principalSchema,
  account: text.optional(),
  tokens: z.looseObject({
    access_token: text,
    refresh_token: text.optional(),
    token_type: z
      .string()
      .regex(/^(bearer|dpop)$/i, 'expected "bearer", or "dpop" with a proofKey')
      .optional(),
    expires_in: z.number().nonnegative().optional(),
    scope: z.string().optional(),
  }),
  resource: text.optional(),
  resources: z.array(z.url()).optional(),
  issuedAt: z.number().int().positive().optional(),
  replace: z.boolean().optional(),
  issuerSubject: text.optional(),
  proofKey: proofKeySchema.optional(),
});

/** @throws {ConfigurationError} naming every wrong field by its path. */
export function checkImport(options: ImportGrant): void {
  checked(importSchema, options, 'grants.import');
  const isBound = options.tokens.token_type?.toLowerCase() === 'dpop';
  if (isBound !== (options.proofKey !== undefined))
    throw new ConfigurationError(
      isBound
        ? 'grants.import: proofKey: expected the key that tokens of the type "dpop" are bound to; got nothing'
        : 'grants.import: tokens.token_type: expected "dpop", since there is a proofKey; got another type',
      [isBound ? 'proofKey' : 'tokens.token_type'],
    );
}

/** The record of an imported grant. It goes on counting where an earlier grant of this principal stopped. */
export function importedGrant(
  options: ImportGrant,
  before: GrantRecord | undefined,
  first: { readonly slotKey: string; readonly timing: SlotTiming },
): GrantRecord {
  const { tokens, provider, principal, resources } = options;
  const scopes = tokens.scope?.split(' ').filter(Boolean);
  const generation = (before?.generation ?? -1) + 1;
  const issuerSubject = options.issuerSubject ?? before?.issuerSubject;
  const expiresInMs =
    tokens.expires_in === undefined ? {} : { expiresInMs: tokens.expires_in * 1000 };
  const proofKey =
    options.proofKey === undefined ? undefined : new Secret(JSON.stringify(options.proofKey));
  const bound = proofKey === undefined ? {} : { proofKey };
  const tokenSet = {
    accessToken: new Secret(tokens.access_token),
    tokenType: expectedTokenType(proofKey),
    ...bound,
    ...expiresInMs,
    ...(scopes === undefined ? {} : { scopes }),
  };
  return {
    kind: 'rotating',
    provider,
    principal,
    account: options.account ?? 'default',
    ...(scopes === undefined ? {} : { scopes }),
    ...(resources === undefined ? {} : { resources }),
    ...(issuerSubject === undefined ? {} : { issuerSubject }),
    ...(tokens.refresh_token === undefined
      ? {}
      : { refreshToken: new Secret(tokens.refresh_token) }),
    ...bound,
    generation,
    slots: { [first.slotKey]: accessTokenSlot(tokenSet, generation, undefined, first.timing) },
    grantedAt: first.timing.now,
    state: { status: 'idle' },
  };
}
