import type { Clock } from './clock.ts';

/** After how many unanswered questions in a row a source counts as silent, and not one person's answer as lost. */
const failuresUntilHeld = 3;
/** How often a silent source is asked, whoever wants to know. */
const probeEveryMs = 1000;

/**
 * Whether one gate source answers at all, as this process sees it. A directory that is down must not be asked by a
 * thousand tasks, each of which would wait for its time-out: one question a second finds out when it is back.
 */
export class SourceHealth {
  readonly #clock: Clock;
  #failures = 0;
  #nextProbeMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it has fallen silent. */
  get isHeld(): boolean {
    return this.#failures >= failuresUntilHeld;
  }

  /** Whether the last question was answered. */
  get speaks(): boolean {
    return this.#failures === 0;
  }

  /** Whether a question may go to it now. Of a silent source one caller a second may ask. */
  mayAsk(): boolean {
    if (!this.isHeld) return true;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextProbeMs) return false;
    this.#nextProbeMs = nowMs + probeEveryMs;
    return true;
  }

  /** The next question may go to it at once. */
  askAgain(): void {
    this.#nextProbeMs = Number.NEGATIVE_INFINITY;
  }

  failed(): 'now held' | undefined {
    this.#failures += 1;
    if (!this.isHeld) return undefined;
    this.#nextProbeMs = this.#clock.monotonicMs() + probeEveryMs;
    return this.#failures === failuresUntilHeld ? 'now held' : undefined;
  }

  answered(): 'now released' | undefined {
    const wasHeld = this.isHeld;
    this.#failures = 0;
    return wasHeld ? 'now released' : undefined;
  }
}
