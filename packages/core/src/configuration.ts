import * as z from 'zod';
import type { AuditProblem } from './audit.ts';
import type { AuditSink } from './audit-sink.ts';
import type { Clock } from './clock.ts';
import type { DelegationStrategyName } from './delegation.ts';
import type { EscalationPolicy } from './escalation.ts';
import type { IssuerProfile } from './issuer-profile.ts';
import type { Journal } from './journal.ts';
import type { Authorizer } from './runtime.ts';
import type { Secret } from './secret.ts';
import type { Store } from './store.ts';
import type { Gate, GateSource, UnknownTolerance } from './user-state.ts';
import { checked } from './validation.ts';

/** One OAuth client registration at one issuer. */
export interface ProviderConfiguration {
  /** The issuer identifier: an https URL, or http on loopback. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string | Secret;
  /** Default: `client_secret_basic` with a secret, `none` without. */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'none';
  /** How the issuer behaves where the standards leave room. Default: the careful `strictIssuer`. */
  readonly profile?: Partial<IssuerProfile>;
  /** Default `shared`. */
  readonly delegation?: DelegationStrategyName;
  /** Whether token requests name the resource (RFC 8707). Default false. */
  readonly resourceIndicators?: boolean;
  /** Where the authorization code comes back to; needed for `connect`. */
  readonly redirectUri?: string;
  /** Server metadata (RFC 8414) to use instead of discovery. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** For a proxy or a test; the issuer's own requests go through it. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Where a resource lives and who guards it. */
export interface ResourceConfiguration<Scope extends string = string> {
  /** Name of the provider whose tokens it accepts. */
  readonly provider: string;
  /** Relative URLs of tools resolve against it. */
  readonly baseUrl: string;
  readonly scopes: readonly Scope[];
  /** Further origins that the token may go to. */
  readonly allowedOrigins?: readonly string[];
  /** Resource indicator (RFC 8707). Default: the base URL, where the provider takes one. */
  readonly indicator?: string;
}

/** The app's rules. Times in ms. */
export interface PolicyConfiguration {
  /** Who must confirm before a paused task goes on. Default: by effect, see `defaultEscalation`. */
  readonly escalate?: EscalationPolicy;
  /** Says who decides. Needed for `decide`. */
  readonly authorize?: Authorizer;
  /** Default 30 000. */
  readonly requestTimeoutMs?: number;
  /** Default: the request time-out. */
  readonly settleMs?: number;
  /** Default 5 000, at most half of the request time-out and the settle time together. */
  readonly sendByMs?: number;
  /** Default 60 000. */
  readonly journalGraceMs?: number;
  /** Default 90 000. */
  readonly maxWaitMs?: number;
  /** Lifetime of a token whose issuer does not say `expires_in`. Default 300 000. */
  readonly defaultLifetimeMs?: number;
  /** Default 24 h. */
  readonly maxLifetimeMs?: number;
  /** Default 7 days. */
  readonly pauseExpiresMs?: number;
  /** Default 5 000. */
  readonly claimWaitMs?: number;
  /** How often this process does background work; 0 leaves it to your own calls of `maintain()`. Default 5 000. */
  readonly maintainMs?: number;
  /** How often this process listens for pauses and revocations elsewhere; at most 500. Default 250. */
  readonly stopPollMs?: number;
  /** Default 2 000. */
  readonly gateTimeoutMs?: number;
  /** How long a positive answer of the gate is kept; at most 5 000, the default. */
  readonly gateCacheMs?: number;
  /** Default 30 000. */
  readonly revalidateMs?: number;
  /** For how long an unknown state is tolerated after the last positive answer. Default: read 120 000, reversible 30 000, irreversible 0. */
  readonly unknownToleranceMs?: Partial<UnknownTolerance>;
}

/** The keys that protect what is stored. */
export interface KeysConfiguration {
  /** Id of the key that new values are sealed with. */
  readonly current: string;
  /** 32 random bytes by key id. */
  readonly ring: Readonly<Record<string, Uint8Array>>;
  /** At least 32 bytes for names and the audit chain. Keep it for as long as the store lives. */
  readonly hash: Uint8Array;
}

/** What {@link createOutlive} takes. */
export interface OutliveOptions<
  Resources extends Record<string, ResourceConfiguration> = Record<string, ResourceConfiguration>,
> {
  readonly store: Store;
  readonly providers: Readonly<Record<string, ProviderConfiguration>>;
  readonly resources: Resources;
  /** Asks whether a principal may still be acted for. Several: the most restrictive answer wins. `alwaysActive` says that nobody is ever stopped. */
  readonly gate: Gate | readonly GateSource[];
  readonly policy?: PolicyConfiguration;
  readonly audit?: {
    readonly sinks?: readonly AuditSink[];
    readonly onProblem?: (problem: AuditProblem) => void;
  };
  /** Needed for every store but the memory store; `unsealed` says out loud that tokens are stored in the clear. */
  readonly keys?: KeysConfiguration | 'unsealed';
  /** Keeps token responses from the moment they arrive until they are stored. */
  readonly journal?: Journal;
  readonly clock?: Clock;
  /** What principals' requests go through. Default: the platform's, captured now. */
  readonly fetch?: typeof globalThis.fetch;
  /** Told of work that goes on in the background: hand it to your platform's `waitUntil`. */
  readonly waitUntil?: (work: Promise<void>) => void;
}

const text = z.string('expected a text').min(1, 'expected a text that is not empty');
const ms = z.number('expected a number of milliseconds').positive('expected more than 0 ms');
const fn = z.custom((value) => typeof value === 'function', 'expected a function');
const bytes = z.custom((value) => value instanceof Uint8Array, 'expected a Uint8Array');
const object = (what: string, ...methods: string[]): z.ZodType =>
  z.custom(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function'),
    `expected ${what} with ${methods.join(', ')}`,
  );
const name = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected a name of letters, digits, ".", "_" and "-"');

const secureUrl = text.refine(
  isSecureUrl,
  'expected an https URL, or an http URL on loopback, without credentials, query and fragment',
);

const profile = z.strictObject({
  rotation: z.enum(['strict', 'leeway', 'untilChildUsed', 'none']).optional(),
  leewayMs: z.number().nonnegative().optional(),
  probe: z.boolean().optional(),
  accessTokenAfterRotation: z.enum(['valid', 'revoked']).optional(),
  accessTokenRevocation: z.enum(['token', 'grant']).optional(),
  whenInDoubt: z.enum(['presentOnce', 'reauthorize']).optional(),
});

const provider = z
  .strictObject({
    issuer: secureUrl,
    clientId: text,
    clientSecret: z.union([text, object('a Secret', 'reveal')]).optional(),
    clientAuthentication: z.enum(['client_secret_basic', 'client_secret_post', 'none']).optional(),
    profile: profile.optional(),
    delegation: z.enum(['shared', 'narrowedRefresh']).optional(),
    resourceIndicators: z.boolean().optional(),
    redirectUri: z.url('expected an absolute URL').optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    fetch: fn.optional(),
  })
  .refine((value) => !(value.clientAuthentication === 'none' && value.clientSecret !== undefined), {
    path: ['clientSecret'],
    error: 'expected no secret with clientAuthentication "none"',
  })
  .refine(
    (value) =>
      !(
        value.clientSecret === undefined && value.clientAuthentication?.startsWith('client_secret')
      ),
    {
      path: ['clientSecret'],
      error: 'expected the secret that clientAuthentication needs',
    },
  )
  .refine((value) => !(value.profile?.rotation === 'leeway' && !value.profile.leewayMs), {
    path: ['profile', 'leewayMs'],
    error: 'expected the leeway of the issuer in ms, since rotation is "leeway"',
  })
  .refine(
    (value) =>
      !(
        value.delegation === 'narrowedRefresh' &&
        value.profile?.accessTokenAfterRotation === 'revoked'
      ),
    {
      path: ['delegation'],
      error:
        'expected "shared": where rotation kills earlier access tokens, tasks with tokens of their own would end each other',
    },
  );

const resource = z.strictObject({
  provider: text,
  baseUrl: secureUrl,
  scopes: z.array(
    z
      .string()
      .regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/, 'expected a scope token (RFC 6749 section 3.3)'),
  ),
  allowedOrigins: z.array(secureUrl).optional(),
  indicator: z
    .url('expected an absolute URL')
    .refine((value) => !value.includes('#'), 'expected no fragment (RFC 8707 section 2)')
    .optional(),
});

const policy = z
  .strictObject({
    escalate: fn.optional(),
    authorize: fn.optional(),
    requestTimeoutMs: ms.optional(),
    settleMs: ms.optional(),
    sendByMs: ms.max(5000, 'expected at most 5000 ms').optional(),
    journalGraceMs: ms.optional(),
    maxWaitMs: ms.optional(),
    defaultLifetimeMs: ms.optional(),
    maxLifetimeMs: ms.optional(),
    pauseExpiresMs: ms.optional(),
    claimWaitMs: ms.optional(),
    maintainMs: z.number().nonnegative().optional(),
    stopPollMs: ms
      .max(500, 'expected at most 500 ms: a pause must reach every process within a second')
      .optional(),
    gateTimeoutMs: ms.optional(),
    gateCacheMs: z.number().nonnegative().max(5000, 'expected at most 5000 ms').optional(),
    revalidateMs: ms.optional(),
    unknownToleranceMs: z
      .strictObject({
        read: z.number().nonnegative().optional(),
        reversible: z.number().nonnegative().optional(),
        irreversible: z
          .literal(0, 'expected 0: an irreversible call is never made on an unknown state')
          .optional(),
      })
      .optional(),
  })
  .refine(
    (value) =>
      (value.sendByMs ?? defaultSendByMs(value)) * 2 <=
      (value.requestTimeoutMs ?? 30_000) + (value.settleMs ?? value.requestTimeoutMs ?? 30_000),
    {
      path: ['sendByMs'],
      error: 'expected at most half of requestTimeoutMs + settleMs: others recover after those',
    },
  );

const schema = z.strictObject({
  store: object('a store', 'get', 'compareAndSwap', 'list', 'append', 'read', 'last', 'close'),
  providers: z.record(name, provider),
  resources: z.record(name, resource),
  gate: z.union(
    [
      fn,
      z
        .array(z.strictObject({ name: text, check: fn }))
        .min(
          1,
          'expected at least one source; use alwaysActive to say that nobody is ever stopped',
        ),
    ],
    'expected a function or a list of { name, check }',
  ),
  policy: policy.optional(),
  audit: z
    .strictObject({
      sinks: z.array(z.looseObject({ name: text, write: fn })).optional(),
      onProblem: fn.optional(),
    })
    .optional(),
  keys: z
    .union(
      [
        z.literal('unsealed'),
        z.strictObject({ current: text, ring: z.record(z.string(), bytes), hash: bytes }),
      ],
      'expected { current, ring, hash } or "unsealed"',
    )
    .optional(),
  journal: object('a journal', 'write', 'read', 'erase').optional(),
  clock: object('a clock', 'now', 'monotonicMs', 'schedule').optional(),
  fetch: fn.optional(),
  waitUntil: fn.optional(),
});

/** Claims are given up after 5 s, or sooner where others recover sooner. */
export function defaultSendByMs(times: {
  readonly requestTimeoutMs?: number | undefined;
  readonly settleMs?: number | undefined;
}): number {
  const requestTimeoutMs = times.requestTimeoutMs ?? 30_000;
  return Math.min(5000, (requestTimeoutMs + (times.settleMs ?? requestTimeoutMs)) / 2);
}

/** @throws {ConfigurationError} naming every wrong field by its path. */
export function checkConfiguration(options: OutliveOptions): void {
  const complete = schema.superRefine((value, context) => {
    for (const [resourceName, { provider: wanted }] of Object.entries(value.resources))
      if (!Object.hasOwn(value.providers, wanted))
        context.addIssue({
          code: 'custom',
          path: ['resources', resourceName, 'provider'],
          message: `expected one of ${Object.keys(value.providers).join(', ') || 'no providers'}`,
        });
  });
  checked(complete, options, 'createOutlive');
}

function isSecureUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '') return false;
  if (url.search !== '' || url.hash !== '') return false;
  if (url.protocol === 'https:') return true;
  const { hostname } = url;
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
  return url.protocol === 'http:' && loopback;
}
