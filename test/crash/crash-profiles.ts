import type { IssuerProfile } from '@outlive/core';
import type { TestIssuerOptions } from '@outlive/testing';

const leewayMs = 60_000;

/** The issuers that the profiles of {@link crashProfiles} describe. */
export const crashIssuers = {
  strict: { reuse: 'strict' },
  leeway: { reuse: { leewayMs } },
  untilChildUsed: { reuse: 'untilChildUsed' },
  none: { rotate: false },
} as const satisfies Record<string, TestIssuerOptions>;

export type CrashIssuer = keyof typeof crashIssuers;

/** An issuer, and what the runtime is told about it. */
export interface CrashProfile {
  /** Name of the provider and of its resource. */
  readonly name: string;
  readonly title: string;
  readonly issuer: CrashIssuer;
  readonly profile: Partial<IssuerProfile>;
}

const issuerProfiles: readonly CrashProfile[] = [
  {
    name: 'strict-reauthorize',
    title: 'strict, `reauthorize`',
    issuer: 'strict',
    profile: { whenInDoubt: 'reauthorize' },
  },
  {
    name: 'strict-present-once',
    title: 'strict, `presentOnce`',
    issuer: 'strict',
    profile: { whenInDoubt: 'presentOnce' },
  },
  {
    name: 'leeway',
    title: 'leeway',
    issuer: 'leeway',
    profile: { rotation: 'leeway', leewayMs },
  },
  {
    name: 'until-child-used',
    title: 'valid until child used',
    issuer: 'untilChildUsed',
    profile: { rotation: 'untilChildUsed' },
  },
  { name: 'none', title: 'no rotation', issuer: 'none', profile: { rotation: 'none' } },
];

/** Every issuer, once where nothing can be asked and once with introspection of refresh tokens. */
export const crashProfiles: readonly CrashProfile[] = issuerProfiles.flatMap((each) => [
  each,
  {
    ...each,
    name: `${each.name}-probe`,
    title: `${each.title}, probe`,
    profile: { ...each.profile, probe: true },
  },
]);
