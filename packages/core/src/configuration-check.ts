import * as z from 'zod';
import type { OutliveOptions } from './configuration.ts';
import { isProtectedTransport } from './protected-transport.ts';
import { checked } from './validation.ts';

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
  exchangedTokenGrant: z.enum(['own', 'subject']).optional(),
  longestAccessTokenMs: ms.optional(),
  whenInDoubt: z.enum(['presentOnce', 'reauthorize']).optional(),
});

const exchangeParameters = [
  'grant_type',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'scope',
  'resource',
  'audience',
];
const parameterName = text.refine(
  (value) => !exchangeParameters.includes(value),
  'expected a parameter of the issuer’s own; this one is set by the runtime',
);

const exchange = z.strictObject({
  actor: z
    .union([z.literal('clientCredentials'), fn], 'expected "clientCredentials" or a function')
    .optional(),
  lifetimeParameter: parameterName.optional(),
  parameters: z.record(parameterName, z.string()).optional(),
});

const provider = z
  .strictObject({
    issuer: secureUrl,
    clientId: text,
    clientSecret: z.union([text, object('a Secret', 'reveal')]).optional(),
    clientAuthentication: z.enum(['client_secret_basic', 'client_secret_post', 'none']).optional(),
    profile: profile.optional(),
    delegation: z
      .enum(['shared', 'narrowedRefresh', 'tokenExchange', 'identityAssertion'])
      .optional(),
    assertedBy: text.optional(),
    exchange: exchange.optional(),
    dpop: z.boolean().optional(),
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
    (value) => (value.assertedBy !== undefined) === (value.delegation === 'identityAssertion'),
    {
      path: ['assertedBy'],
      error:
        'expected the name of an identity provider with delegation "identityAssertion", and only then',
    },
  )
  .refine((value) => value.exchange === undefined || value.delegation === 'tokenExchange', {
    path: ['exchange'],
    error: 'expected none, since delegation is not "tokenExchange"',
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
  audience: text.optional(),
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
    retention: z
      .strictObject({
        endedTasksMs: ms.optional(),
        taskAudit: z.boolean('expected true or false').optional(),
        unmatchedEventsMs: ms.optional(),
        stopNotices: z.int('expected a whole number').min(100, 'expected at least 100').optional(),
      })
      .optional(),
    stopPollMs: ms
      .max(500, 'expected at most 500 ms: a pause must reach every process within a second')
      .optional(),
    gateTimeoutMs: ms.optional(),
    gateCacheMs: z.number().nonnegative().max(5000, 'expected at most 5000 ms').optional(),
    revalidateMs: ms.optional(),
    holdNoticeAfterMs: z.number().nonnegative().optional(),
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
  store: object(
    'a store',
    ...['get', 'compareAndSwap', 'list', 'append', 'read', 'last', 'forget', 'trim', 'close'],
  ),
  providers: z.record(name, provider),
  resources: z.record(name, resource),
  gate: z.union(
    [
      fn,
      z
        .array(z.strictObject({ name: text, check: fn, appliesTo: fn.optional() }))
        .min(1, 'expected at least one source; use alwaysActive to say that nobody is ever stopped')
        .refine(
          (sources) => new Set(sources.map((source) => source.name)).size === sources.length,
          'expected a different name for each source',
        ),
    ],
    'expected a function or a list of { name, check }',
  ),
  policy: policy.optional(),
  notifiers: z
    .array(z.looseObject({ name, notify: fn }))
    .refine(
      (list) => new Set(list.map((one) => one.name)).size === list.length,
      'expected a name of its own for each notifier',
    )
    .optional(),
  onHold: fn.optional(),
  audit: z
    .strictObject({
      sinks: z
        .array(
          z.looseObject({
            name: text,
            write: fn,
            whenFailing: z.enum(['continue', 'stop']).optional(),
          }),
        )
        .optional(),
      whenStoreFails: z.enum(['continue', 'stop']).optional(),
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
    const withGrants = Object.keys(value.providers).filter(
      (one) => value.providers[one]?.assertedBy === undefined,
    );
    for (const [providerName, { assertedBy }] of Object.entries(value.providers))
      if (assertedBy !== undefined && !withGrants.includes(assertedBy))
        context.addIssue({
          code: 'custom',
          path: ['providers', providerName, 'assertedBy'],
          message: `expected a provider that has grants: ${withGrants.join(', ') || 'there is none'}`,
        });
    for (const [providerName, { profile: behaviour, resourceIndicators }] of Object.entries(
      value.providers,
    )) {
      if (behaviour?.accessTokenAfterRotation !== 'revoked' || resourceIndicators !== true)
        continue;
      const own = Object.values(value.resources).filter((one) => one.provider === providerName);
      if (new Set(own.map(({ indicator, baseUrl }) => indicator ?? baseUrl)).size > 1)
        context.addIssue({
          code: 'custom',
          path: ['providers', providerName, 'resourceIndicators'],
          message:
            'expected one resource indicator at most: where rotation kills earlier access tokens, resources with tokens of their own would end each other’s',
        });
    }
  });
  checked(complete, options, 'createOutlive');
}

function isSecureUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '') return false;
  if (url.search !== '' || url.hash !== '') return false;
  return isProtectedTransport(url);
}
