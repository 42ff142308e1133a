import type { CrashPoint } from './crash-points.ts';
import type { CrashProfile } from './crash-profiles.ts';

/** Whether a grant survives without a person, or somebody has to sign in again. */
export type CrashOutcome = 'ok' | 'signIn';

type Row = Readonly<Record<'k0' | 'k1' | 'k2' | 'k3' | 'k4', CrashOutcome>>;

const survives: Row = { k0: 'ok', k1: 'ok', k2: 'ok', k3: 'ok', k4: 'ok' };
const blindReauthorize: Row = {
  k0: 'signIn',
  k1: 'signIn',
  k2: 'signIn',
  k3: 'signIn',
  k4: 'ok',
};
/** The token that was not used is presented, either since introspection says so or for want of anything to lose. */
const savesTheUnused: Row = { ...blindReauthorize, k0: 'ok' };

/** The best that a client can do at an issuer without leeway, and what every run is held against. */
export function crashReference(
  { issuer, profile }: CrashProfile,
  point: CrashPoint['name'],
  journal: { readonly onSameHost: boolean },
): CrashOutcome {
  const blind = profile.probe !== true;
  const strict = blind && profile.whenInDoubt === 'reauthorize' ? blindReauthorize : savesTheUnused;
  const row = issuer === 'strict' ? strict : survives;
  if (point === 'k3' && journal.onSameHost) return 'ok';
  // To the issuer a request that it never took in is one that was never sent.
  if (point === 'k1Unprocessed') return row.k0;
  return point === 'k1Processed' ? row.k1 : row[point];
}
