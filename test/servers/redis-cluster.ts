import { setTimeout as wait } from 'node:timers/promises';
import { type OwnRedisServer, ownRedisServer, redisCommand } from './redis-server.ts';

/** A Redis cluster on loopback ports. */
export interface RedisCluster {
  readonly servers: readonly OwnRedisServer[];
  stop(): Promise<void>;
}

const slots = 16_384;

/** Starts a cluster of three masters without replicas. */
export async function redisCluster(): Promise<RedisCluster> {
  const servers: OwnRedisServer[] = [];
  const stop = async (): Promise<void> => {
    for (const server of servers) await server.stop();
  };
  try {
    for (let at = 0; at < 3; at += 1)
      servers.push(
        await ownRedisServer({ 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000' }),
      );
    await join(servers.map(({ process }) => process.port));
    return { servers, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function join(ports: readonly number[]): Promise<void> {
  const [first] = ports;
  for (const [at, port] of ports.entries()) {
    const from = Math.ceil((at * slots) / ports.length);
    const to = Math.ceil(((at + 1) * slots) / ports.length) - 1;
    await mustAnswerOk(port, `CLUSTER ADDSLOTSRANGE ${from} ${to}`);
    // Two nodes that meet with one epoch have to sort it out first; each gets its own.
    await mustAnswerOk(port, `CLUSTER SET-CONFIG-EPOCH ${at + 1}`);
    if (port !== first) await mustAnswerOk(port, `CLUSTER MEET 127.0.0.1 ${first}`);
  }
  const until = Date.now() + 60_000;
  for (const port of ports)
    while (!(await knowsAll(port, ports.length))) {
      if (Date.now() > until) throw new Error(`the node on port ${port} did not join the cluster`);
      await wait(50);
    }
}

async function knowsAll(port: number, nodes: number): Promise<boolean> {
  const info = await redisCommand(port, 'CLUSTER INFO');
  return info.includes('cluster_state:ok') && info.includes(`cluster_size:${nodes}`);
}

async function mustAnswerOk(port: number, command: string): Promise<void> {
  const answer = await redisCommand(port, command);
  if (!answer.startsWith('+OK')) throw new Error(`${command} on port ${port}: ${answer}`);
}
