/** What a process is asked: the token after this one. */
export interface WakeAsk {
  readonly rejectedGeneration: number;
}

/** When it had the token, on the machine's monotonic clock, ms. */
export interface NextToken {
  readonly generation: number;
  readonly tookAtMs: number;
  /** When the store had acknowledged the new pair to it; absent where another process refreshed. */
  readonly storedAtMs?: number;
}
