import { actorOfTheApp, clientAsActor } from './actor-token.ts';
import { createAudit } from './audit.ts';
import { subjectStream } from './audit-streams.ts';
import { type Clock, systemClock } from './clock.ts';
import type {
  OutliveOptions,
  ProviderConfiguration,
  ResourceConfiguration,
} from './configuration.ts';
import { defaultSendByMs } from './configuration-check.ts';
import { sharedSlot } from './delegation.ts';
import { Directory } from './directory.ts';
import { ConfigurationError } from './errors.ts';
import { defaultEscalation } from './escalation.ts';
import type { GateTimes } from './gate.ts';
import { grantActivity } from './grant-activity.ts';
import { Grants } from './grants.ts';
import { Holds } from './holds.ts';
import { Installation } from './installation.ts';
import { type IssuerProfile, strictIssuer } from './issuer-profile.ts';
import { createKeyedHash } from './keyed-hash.ts';
import { KillSwitches } from './kill-switches.ts';
import { createOpenidIssuer } from './openid-issuer.ts';
import { principalId } from './principal-id.ts';
import { createProofMaker } from './proof-of-possession.ts';
import { randomId } from './random-id.ts';
import { createRecords } from './records.ts';
import { locateResource } from './resource-location.ts';
import type { RotationTimes } from './rotation-context.ts';
import {
  type Policy,
  type ProtectedResource,
  type Provider,
  type Runtime,
  stamped,
} from './runtime.ts';
import { createSealer } from './sealing.ts';
import { Secret } from './secret.ts';
import { StopFeed } from './stop-feed.ts';
import { reportedUserState } from './subject-state.ts';
import { UserStates } from './user-state.ts';

const hourMs = 3_600_000;

/** Makes the parts of the runtime from a configuration that was checked, and joins them. */
export function assembleRuntime(
  options: OutliveOptions,
  hears: {
    readonly taskChanged: (taskId: string) => void;
    /** By the keyed hash of the principal. What it does to the work of others is its own affair. */
    readonly principalRevoked: (subject: string) => void;
    /** Whatever is known of any task may be old. */
    readonly missed: () => void;
  },
): Runtime {
  const { store, journal, keys } = options;
  if (keys === undefined && store.ephemeral !== true)
    throw new ConfigurationError(
      'createOutlive: keys: expected keys to seal what this store keeps, or "unsealed"; got nothing',
      ['keys'],
    );
  const sealing = keys === undefined || keys === 'unsealed' ? undefined : keys;
  const clock = options.clock ?? systemClock;
  const process = randomId();
  const random = Math.random;
  const background = backgroundOf(options);
  const keyedHash = createKeyedHash(sealing?.hash);
  const records = createRecords({ store, sealer: createSealer(sealing) });
  const times = rotationTimes(options);
  const feed = new StopFeed(
    store,
    clock,
    { pollMs: options.policy?.stopPollMs ?? 250, trustMs: 1000 },
    {
      heard({ kind, id }) {
        if (kind === 'task') hears.taskChanged(id);
        if (kind === 'subject') userStates.hear(id);
        if (kind === 'hold') userStates.hearSource(id);
        if (kind === 'switch') killSwitches.hear();
      },
      missed() {
        hears.missed();
        userStates.hearAll();
        killSwitches.hear();
      },
    },
  );
  const killSwitches = new KillSwitches(() => runtime);
  const holds = new Holds(() => runtime, {
    afterMs: options.policy?.holdNoticeAfterMs ?? 60_000,
    tell: options.onHold,
  });
  const userStates = new UserStates({
    clock,
    sources:
      typeof options.gate === 'function' ? [{ name: 'gate', check: options.gate }] : options.gate,
    times: gateTimes(options),
    reported: (principal) => reportedUserState({ records, keyedHash }, principal),
    introspect: (principal, provider) => grantActivity(runtime, principal, provider),
    held: (source, principal) => void holds.open(source, principal).catch(ignoreUnwritten),
    released: (source) => void holds.end(source).catch(ignoreUnwritten),
    changed(principal, verdict, before) {
      // Whoever asks first tells the others; what they make of it they ask the gate themselves.
      const denied = verdict.state !== 'active' && verdict.state !== 'unknown';
      principalId(keyedHash, principal)
        .then((id) => {
          runtime.audit.record(
            subjectStream(id),
            stamped(runtime, {
              type: 'user-state-changed',
              principal: id,
              outcome: verdict.state,
              reason: `${verdict.source}; before: ${before.state}`,
            }),
          );
          if (verdict.state === 'revoked') hears.principalRevoked(id);
          return denied ? feed.publish({ kind: 'subject', id }) : undefined;
        })
        .catch(ignoreUnpublished);
    },
  });
  const asserting = new Set(
    Object.values(options.providers).flatMap(({ assertedBy }) => assertedBy ?? []),
  );
  const providers = new Map(
    Object.entries(options.providers).map(([name, provider]) => [
      name,
      assembleProvider(name, provider, { times, clock, asserting: asserting.has(name) }),
    ]),
  );
  const grants = new Grants(
    () => runtime,
    (provider) => ({
      store,
      records,
      clock,
      random,
      issuer: provider.issuer,
      profile: provider.profile,
      bindsTokens: provider.bindsTokens,
      journal,
      times,
      process,
      background,
    }),
  );
  const runtime: Runtime = {
    store,
    records,
    clock,
    random,
    keyedHash,
    installation: new Installation(records, keyedHash),
    journal,
    audit: createAudit({
      store,
      keyedHash,
      clock,
      ...(options.audit?.sinks === undefined ? {} : { sinks: options.audit.sinks }),
      ...(options.audit?.whenStoreFails === undefined
        ? {}
        : { whenStoreFails: options.audit.whenStoreFails }),
      ...(options.audit?.onProblem === undefined ? {} : { onProblem: options.audit.onProblem }),
    }),
    providers,
    resources: new Map(
      Object.entries(options.resources).map(([name, resource]) => [
        name,
        assembleResource(name, resource, providers),
      ]),
    ),
    policy: policyOf(options),
    notifiers: options.notifiers ?? [],
    userStates,
    holds,
    killSwitches,
    directory: new Directory(() => runtime),
    feed,
    grants,
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    background,
    proofs: createProofMaker(clock),
    process,
  };
  return runtime;
}

/** Hands work that goes on to the platform's `waitUntil`, where the app gave one. */
function backgroundOf({ waitUntil }: OutliveOptions): (work: Promise<void>) => void {
  return (work) => {
    try {
      waitUntil?.(work);
    } catch {
      // A platform whose request is over takes no more work. It goes on as far as it may; the token in hand is good.
    }
  };
}

/** The notice only spares other processes a wait: each of them asks the gate itself before it mints anything. */
function ignoreUnpublished(): void {}

/** This process holds by itself, and maintenance tells the others. */
function ignoreUnwritten(): void {}

function assembleProvider(
  name: string,
  configuration: ProviderConfiguration,
  parts: {
    readonly times: RotationTimes;
    readonly clock: Clock;
    /** Whether another provider takes its word for who a user is. */
    readonly asserting: boolean;
  },
): Provider {
  const { times, clock, asserting } = parts;
  const { clientSecret, profile, metadata, fetch, clientAuthentication } = configuration;
  const secret = typeof clientSecret === 'string' ? new Secret(clientSecret) : clientSecret;
  const issuer = createOpenidIssuer({
    issuer: configuration.issuer,
    clientId: configuration.clientId,
    ...(secret === undefined ? {} : { clientSecret: secret }),
    ...(clientAuthentication === undefined ? {} : { clientAuthentication }),
    requestTimeoutMs: times.requestTimeoutMs,
    ...(metadata === undefined ? {} : { metadata: { issuer: configuration.issuer, ...metadata } }),
    ...(fetch === undefined ? {} : { fetch }),
    keepsIdTokens: asserting,
    clock,
  });
  const { actor, lifetimeParameter, parameters = {} } = configuration.exchange ?? {};
  return {
    name,
    issuerUrl: configuration.issuer,
    issuer,
    profile: { ...strictIssuer, ...profile } satisfies IssuerProfile,
    delegation: configuration.delegation ?? 'shared',
    grantedBy: configuration.assertedBy ?? name,
    exchange: { lifetimeParameter, parameters },
    actor:
      actor === 'clientCredentials'
        ? clientAsActor({ issuer, clock, defaultLifetimeMs: times.defaultLifetimeMs })
        : actor && actorOfTheApp(actor),
    bindsTokens: configuration.dpop ?? false,
    resourceIndicators: configuration.resourceIndicators ?? false,
    redirectUri: configuration.redirectUri,
  };
}

function assembleResource(
  name: string,
  configuration: ResourceConfiguration,
  providers: ReadonlyMap<string, Provider>,
): ProtectedResource {
  const { provider, baseUrl, scopes, allowedOrigins, indicator, audience } = configuration;
  const takesIndicators = providers.get(provider)?.resourceIndicators === true;
  const named = takesIndicators ? (indicator ?? baseUrl) : undefined;
  return {
    name,
    provider,
    scopes,
    location: locateResource({ name, baseUrl, allowedOrigins }),
    indicator: named,
    slot: sharedSlot(named),
    target: audience === undefined ? { resource: indicator ?? baseUrl } : { audience },
  };
}

function rotationTimes({ policy = {} }: OutliveOptions): RotationTimes {
  const requestTimeoutMs = policy.requestTimeoutMs ?? 30_000;
  return {
    requestTimeoutMs,
    settleMs: policy.settleMs ?? requestTimeoutMs,
    sendByMs: policy.sendByMs ?? defaultSendByMs(policy),
    journalGraceMs: policy.journalGraceMs ?? 60_000,
    maxWaitMs: policy.maxWaitMs ?? 90_000,
    defaultLifetimeMs: policy.defaultLifetimeMs ?? 300_000,
    backoffMs: [500, 60_000],
  };
}

function gateTimes({ policy = {} }: OutliveOptions): GateTimes {
  return {
    timeoutMs: policy.gateTimeoutMs ?? 2000,
    cacheMs: policy.gateCacheMs ?? 5000,
    revalidateMs: policy.revalidateMs ?? 30_000,
    toleranceMs: {
      read: 120_000,
      reversible: 30_000,
      ...policy.unknownToleranceMs,
      irreversible: 0,
    },
  };
}

function policyOf({ policy = {} }: OutliveOptions): Policy {
  return {
    escalate: policy.escalate ?? defaultEscalation,
    authorize: policy.authorize,
    maxLifetimeMs: policy.maxLifetimeMs ?? 24 * hourMs,
    pauseExpiresMs: policy.pauseExpiresMs ?? 7 * 24 * hourMs,
    claimWaitMs: policy.claimWaitMs ?? 5000,
    revalidateMs: policy.revalidateMs ?? 30_000,
    maintainMs: policy.maintainMs ?? 5000,
    retention: { stopNotices: 10_000, ...policy.retention },
  };
}
