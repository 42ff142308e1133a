import type { HoldPoint } from '../multi-process/agent-setup.ts';

/** Where a process is ended in the middle of a refresh. */
export interface CrashPoint {
  readonly name: 'k0' | 'k1Unprocessed' | 'k1Processed' | 'k2' | 'k3' | 'k4';
  readonly title: string;
  /** Who keeps the refresh at this point: the process itself, or the issuer that has its request. */
  readonly heldBy: HoldPoint | 'answered' | 'issuer';
}

/** The points, in the order in which a refresh passes them. */
export const crashPoints: readonly CrashPoint[] = [
  { name: 'k0', title: 'claimed, not sent', heldBy: 'claimed' },
  { name: 'k1Unprocessed', title: 'request lost on its way', heldBy: 'issuer' },
  { name: 'k1Processed', title: 'response lost on its way', heldBy: 'issuer' },
  { name: 'k2', title: 'response headers received', heldBy: 'answered' },
  { name: 'k3', title: 'before the store write', heldBy: 'settling' },
  { name: 'k4', title: 'after the store write', heldBy: 'settled' },
];
