/** What a process is asked: to call until it is refused, or until it is not refused any more. */
export interface RevokeAsk {
  readonly until: 'granted' | 'refused';
}

/** When its calls ended, on the machine's monotonic clock, ms. */
export interface CallsEnded {
  /** Of the last call that got a token; absent where none did. */
  readonly lastGrantedAtMs?: number;
  /** Of the call that was the first to end as it was asked for. */
  readonly endedAtMs: number;
}
