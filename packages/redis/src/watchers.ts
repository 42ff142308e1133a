import type { WatchTarget } from '@outlive/core';
import { createWaker } from '@outlive/core/driver';
import type { Keyspace } from './keyspace.ts';
import type { RedisConnector, RedisSubscriber } from './redis-connection.ts';

const reopenDelayMs = 250;

/** The watchers of one store, on one connection that is opened for the first of them. */
export interface Watchers {
  add(target: WatchTarget, wake: () => void): Disposable;
  close(): void;
}

/** Subscribes to the channel of each record and stream that somebody watches. */
export function createWatchers(connector: RedisConnector, keys: Keyspace): Watchers {
  const watching = new Map<string, Set<() => void>>();
  let subscriber: RedisSubscriber | undefined;
  let reopening: NodeJS.Timeout | undefined;

  const wakeAll = (channel: string): void => {
    for (const deliver of watching.get(channel) ?? []) deliver();
  };

  const lost = (connection: RedisSubscriber): void => {
    if (subscriber !== connection) return;
    subscriber = undefined;
    connection.destroy();
    if (watching.size === 0) return;
    // Unref: waiting for a hint is no reason to keep a process alive.
    reopening ??= setTimeout(() => {
      reopening = undefined;
      open();
    }, reopenDelayMs).unref();
  };

  const subscribe = (connection: RedisSubscriber, channel: string): void => {
    connection.subscribe(channel).then(
      // What was written before the server confirmed has not been heard.
      () => wakeAll(channel),
      () => lost(connection),
    );
  };

  const open = (): void => {
    if (subscriber !== undefined || reopening !== undefined || watching.size === 0) return;
    const connection = connector.openSubscriber({ message: wakeAll, lost: () => lost(connection) });
    subscriber = connection;
    connection.ready.then(
      () => {
        for (const channel of watching.keys()) subscribe(connection, channel);
        ready.add(connection);
      },
      () => lost(connection),
    );
  };
  /** Those that take new subscriptions; before that, they get them all at once. */
  const ready = new WeakSet<RedisSubscriber>();

  const addChannel = (channel: string): Set<() => void> => {
    const known = watching.get(channel);
    if (known !== undefined) return known;
    const added = new Set<() => void>();
    watching.set(channel, added);
    if (subscriber !== undefined && ready.has(subscriber)) subscribe(subscriber, channel);
    return added;
  };

  const removeChannel = (channel: string): void => {
    watching.delete(channel);
    const connection = subscriber;
    if (connection !== undefined && ready.has(connection))
      connection.unsubscribe(channel).catch(() => lost(connection));
  };

  return {
    add(target, wake) {
      const waker = createWaker(wake);
      const channels = new Set([
        ...(target.keys ?? []).map((key) => keys.record(key)),
        ...(target.streams ?? []).map((stream) => keys.stream(stream)),
      ]);
      for (const channel of channels) addChannel(channel).add(waker.deliver);
      open();
      return {
        [Symbol.dispose]() {
          waker[Symbol.dispose]();
          for (const channel of channels) {
            const watchers = watching.get(channel);
            if (watchers?.delete(waker.deliver) && watchers.size === 0) removeChannel(channel);
          }
        },
      };
    },

    close() {
      watching.clear();
      clearTimeout(reopening);
      subscriber?.destroy();
      subscriber = undefined;
    },
  };
}
