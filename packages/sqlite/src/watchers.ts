import type { WatchTarget } from '@outlive/core';
import { createWaker } from '@outlive/core/driver';
import type { Statements } from './statements.ts';

/** What somebody watches: a record's version, or a stream's newest sequence. */
interface Topic {
  readonly look: (statements: Statements) => number;
  /** `undefined`: not looked at yet; the first look that succeeds wakes its watchers. */
  seen: number | undefined;
  readonly watchers: Set<() => void>;
}

/** The watchers of one store: one timer for all of them, and none while nobody watches. */
export interface Watchers {
  add(target: WatchTarget, wake: () => void): Disposable;
  /** This connection wrote; SQLite tells only of the writes of others. */
  wrote(space: 'key' | 'stream', name: string, version: number): void;
  clear(): void;
}

/** @param statements answers the prepared statements, or `undefined` while the file is not open. */
export function createWatchers(statements: () => Statements | undefined, pollMs: number): Watchers {
  const topics = new Map<string, Topic>();
  let dataVersion: number | undefined;
  let timer: NodeJS.Timeout | undefined;

  const wakeAll = (topic: Topic): void => {
    for (const deliver of topic.watchers) deliver();
  };

  /** `undefined` if there was no answer: a watch is a hint, the store's operations report what is wrong. */
  const attempt = (look: (source: Statements) => number): number | undefined => {
    const source = statements();
    try {
      return source && look(source);
    } catch {
      // Whoever watches also polls, and meets the same error where it can be told; the next poll looks again.
      return undefined;
    }
  };

  const poll = (): void => {
    // Before the topics: what is written while they are read shows in the next poll.
    const current = attempt((source) => source.dataVersion());
    if (current === undefined || current === dataVersion) return;
    dataVersion = current;
    for (const topic of topics.values()) {
      const version = attempt(topic.look);
      if (version === undefined) dataVersion = undefined;
      else if (version !== topic.seen) {
        topic.seen = version;
        wakeAll(topic);
      }
    }
  };

  const topicOf = (space: 'key' | 'stream', name: string): [string, Topic] => {
    const id = `${space} ${name}`;
    const known = topics.get(id);
    if (known !== undefined) return [id, known];
    const look = (source: Statements): number =>
      space === 'key' ? source.recordVersion(name) : (source.last(name)?.sequence ?? 0);
    const topic: Topic = { look, seen: attempt(look), watchers: new Set() };
    // With nothing to compare with, the next poll must look even if nobody writes in between.
    if (topic.seen === undefined) dataVersion = undefined;
    topics.set(id, topic);
    return [id, topic];
  };

  return {
    add(target, wake) {
      const waker = createWaker(wake);
      const watched = new Map([
        ...(target.keys ?? []).map((key) => topicOf('key', key)),
        ...(target.streams ?? []).map((stream) => topicOf('stream', stream)),
      ]);
      for (const topic of watched.values()) topic.watchers.add(waker.deliver);
      // Unref: waiting for a hint is no reason to keep a process alive.
      timer ??= setInterval(poll, pollMs).unref();
      return {
        [Symbol.dispose]() {
          waker[Symbol.dispose]();
          for (const [id, topic] of watched) {
            topic.watchers.delete(waker.deliver);
            if (topic.watchers.size === 0 && topics.get(id) === topic) topics.delete(id);
          }
          if (topics.size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      };
    },

    wrote(space, name, version) {
      const topic = topics.get(`${space} ${name}`);
      if (topic === undefined) return;
      topic.seen = version;
      wakeAll(topic);
    },

    clear() {
      topics.clear();
      clearInterval(timer);
      timer = undefined;
    },
  };
}
