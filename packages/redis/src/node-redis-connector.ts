import { openingOf } from './opening.ts';
import type { NodeRedisClient, NodeRedisCluster } from './redis-client.ts';
import {
  type Command,
  outcomesOf,
  type RedisConnection,
  type RedisConnector,
  type RedisSubscriber,
  type SubscriberEvents,
} from './redis-connection.ts';

// Over the user's own mapping: the store reads plain strings and numbers.
const plainReplies = { typeMapping: {} };

/**
 * Connections of node-redis. It rejects what was sent when a connection breaks and never sends it again; what it did not
 * send yet it keeps for the next connection, and `destroy` drops that too.
 */
export function nodeRedisConnector(template: NodeRedisClient): RedisConnector {
  return {
    open() {
      const client = template.duplicate();
      const opening = openingOf(client);
      const send = (commands: readonly Command[]) =>
        outcomesOf(commands.map((command) => client.sendCommand(command, plainReplies)));
      return {
        ready: opening.ready,
        get isUsable() {
          return opening.isDone && client.isReady;
        },
        get lastError() {
          return opening.lastError;
        },
        send,
        sendTogether: send,
        destroy: () => destroyIfOpen(client),
      };
    },
    openSubscriber: (events) => subscriberOf(template.duplicate(), events),
  };
}

/**
 * The same for a cluster.
 *
 * @param key any key of the store: all of them are in one slot.
 */
export function nodeRedisClusterConnector(template: NodeRedisCluster, key: string): RedisConnector {
  return {
    open: () => clusterConnection(template.duplicate(), key),
    openSubscriber: (events) => subscriberOf(template.duplicate(), events),
  };
}

function clusterConnection(cluster: NodeRedisCluster, key: string): RedisConnection {
  const opening = openingOf(cluster);
  let slot: Promise<unknown> | undefined;

  const masterOfSlot = async (): Promise<NodeRedisClient> => {
    slot ??= cluster.sendCommand(key, false, ['CLUSTER', 'KEYSLOT', key], plainReplies);
    const master = cluster.slots[Number(await slot)]?.master;
    // In the words of the server: nothing was sent, and the map of slots has to be read again.
    if (master === undefined) throw new Error('CLUSTERDOWN No master is known for the slot');
    return cluster.nodeClient(master);
  };

  return {
    ready: opening.ready,
    get isUsable() {
      return opening.isDone && cluster.isOpen;
    },
    get lastError() {
      return opening.lastError;
    },
    send: (commands) =>
      outcomesOf(
        commands.map((command) => cluster.sendCommand(key, false, [...command], plainReplies)),
      ),
    async sendTogether(commands) {
      // Not through the cluster: it would ask all masters where WAIT is meant for one.
      const client = await masterOfSlot();
      return outcomesOf(commands.map((command) => client.sendCommand(command, plainReplies)));
    },
    destroy: () => destroyIfOpen(cluster),
  };
}

function subscriberOf(
  client: NodeRedisClient | NodeRedisCluster,
  events: SubscriberEvents,
): RedisSubscriber {
  // It would connect again and subscribe again; but then nobody would look for what was missed meanwhile.
  client.on('error', events.lost);
  return {
    ready: openingOf(client).ready,
    subscribe: (channel) => client.subscribe(channel, (_, from) => events.message(from)),
    unsubscribe: (channel) => client.unsubscribe(channel),
    destroy: () => destroyIfOpen(client),
  };
}

function destroyIfOpen(client: NodeRedisClient | NodeRedisCluster): void {
  if (client.isOpen) client.destroy();
}
