import type { WatchTarget } from '@outlive/core';
import { createWaker } from '@outlive/core/driver';
import { type Space, topicOf } from './writes.ts';

/** What somebody watches: a record's version, or a stream's newest sequence. */
interface Topic {
  readonly space: Space;
  readonly name: string;
  /** `undefined`: not looked at yet; the first look wakes its watchers. */
  seen: number | undefined;
  readonly watchers: Set<() => void>;
}

/** The versions of what was asked for, by name. */
export interface Versions {
  readonly keys: ReadonlyMap<string, number>;
  readonly streams: ReadonlyMap<string, number>;
}

/** How soon a look that failed is made again while notifications come: what it would have found is in none of them. */
const lookAgainMs = 250;

/** The watchers of one store. They look themselves, all in one query, only while nobody tells them. */
export interface Watchers {
  add(target: WatchTarget, wake: () => void): Disposable;
  /** `topic` was seen to have `version`. */
  observe(topic: string, version: number): void;
  /** Whether notifications come from now on. What came before is looked at once. */
  setTold(isTold: boolean): void;
  close(): void;
}

/** @param look reads the versions. It may fail: it is made again soon. */
export function createWatchers(
  look: (keys: readonly string[], streams: readonly string[]) => Promise<Versions>,
  pollMs: number,
): Watchers {
  const topics = new Map<string, Topic>();
  let isTold = false;
  let timer: NodeJS.Timeout | undefined;
  let isLooking = false;
  let mustLookAgain = false;
  let isLookOwed = false;

  const observe = (id: string, version: number): void => {
    const topic = topics.get(id);
    if (topic === undefined || topic.seen === version) return;
    topic.seen = version;
    for (const deliver of topic.watchers) deliver();
  };

  const namesOf = (space: Space): readonly string[] =>
    [...topics.values()].filter((topic) => topic.space === space).map(({ name }) => name);

  const lookOnce = async (): Promise<void> => {
    try {
      const { keys, streams } = await look(namesOf('key'), namesOf('stream'));
      for (const [key, version] of keys) observe(topicOf('key', key), version);
      for (const [stream, version] of streams) observe(topicOf('stream', stream), version);
      isLookOwed = false;
    } catch {
      // A watch is a hint: whoever watches also polls, and meets the same error where it can be told.
      isLookOwed = true;
    }
  };

  const lookNow = async (): Promise<void> => {
    mustLookAgain = true;
    if (isLooking) return;
    isLooking = true;
    while (mustLookAgain && topics.size > 0) {
      mustLookAgain = false;
      await lookOnce();
    }
    isLooking = false;
    schedule();
  };

  const schedule = (): void => {
    if ((isTold && !isLookOwed) || isLooking || topics.size === 0) return;
    // Unref: waiting for a hint is no reason to keep a process alive.
    timer ??= setTimeout(
      () => {
        timer = undefined;
        void lookNow();
      },
      isTold ? Math.min(lookAgainMs, pollMs) : pollMs,
    ).unref();
  };

  const stopTimer = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };

  const topicFor = (space: Space, name: string): [string, Topic] => {
    const id = topicOf(space, name);
    const topic = topics.get(id) ?? { space, name, seen: undefined, watchers: new Set() };
    topics.set(id, topic);
    return [id, topic];
  };

  return {
    observe,

    add(target, wake) {
      const waker = createWaker(wake);
      const watched = new Map([
        ...(target.keys ?? []).map((key) => topicFor('key', key)),
        ...(target.streams ?? []).map((stream) => topicFor('stream', stream)),
      ]);
      for (const topic of watched.values()) topic.watchers.add(waker.deliver);
      schedule();
      return {
        [Symbol.dispose]() {
          waker[Symbol.dispose]();
          for (const [id, topic] of watched) {
            topic.watchers.delete(waker.deliver);
            if (topic.watchers.size === 0 && topics.get(id) === topic) topics.delete(id);
          }
          if (topics.size === 0) stopTimer();
        },
      };
    },

    setTold(told) {
      isTold = told;
      stopTimer();
      // What was written before the first notification could come is found by a last look.
      if (told) void lookNow();
      else schedule();
    },

    close() {
      topics.clear();
      stopTimer();
    },
  };
}
