import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type OwnRedisServer, ownRedisServer, redisCommand, redisProgram } from './redis-server.ts';
import { type ServerProcess, startServer } from './server-process.ts';

/** A master and a replica that a Sentinel watches, under the name `main`. */
export interface RedisFailover {
  readonly sentinel: ServerProcess;
  readonly servers: readonly OwnRedisServer[];
  /** Makes the replica the master, and the master a replica; resolves once it is so. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a master, its replica, and one Sentinel. */
export async function redisFailover(): Promise<RedisFailover> {
  const settings = { 'repl-diskless-sync-delay': '0' };
  const master = await ownRedisServer(settings);
  const replica = await ownRedisServer({
    ...settings,
    replicaof: `127.0.0.1 ${master.process.port}`,
  });
  await until(() => answers(master.process.port, 'INFO replication', /slave0:.*state=online/));
  const sentinel = await startServer({
    program: await redisProgram(),
    prepare: (folder, port) =>
      writeFile(
        join(folder, 'sentinel.conf'),
        [
          `port ${port}`,
          'bind 127.0.0.1',
          `sentinel monitor main 127.0.0.1 ${master.process.port} 1`,
          'sentinel down-after-milliseconds main 2000',
          'sentinel failover-timeout main 2000',
          '',
        ].join('\n'),
      ),
    args: (_, folder) => [join(folder, 'sentinel.conf'), '--sentinel'],
    isReady: (port) => answers(port, 'PING', /^\+PONG/),
  });
  const masterPort = async (): Promise<string | undefined> =>
    /(\d+)\r\n$/.exec(
      await redisCommand(sentinel.port, 'SENTINEL GET-MASTER-ADDR-BY-NAME main'),
    )?.[1];
  // It hears of the replica from the master, every ten seconds.
  await until(() => answers(sentinel.port, 'SENTINEL REPLICAS main', /^\*1/));
  return {
    sentinel,
    servers: [master, replica],
    async failOver() {
      const before = await masterPort();
      await until(() => answers(sentinel.port, 'SENTINEL FAILOVER main', /^\+OK/));
      await until(async () => {
        const now = await masterPort();
        return now !== undefined && now !== before;
      });
    },
    async stop() {
      await sentinel.stop();
      await replica.stop();
      await master.stop();
    },
  };
}

async function answers(port: number, command: string, expected: RegExp): Promise<boolean> {
  return expected.test(await redisCommand(port, command));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const late = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > late) throw new Error('the servers did not get ready for a failover');
    await wait(50);
  }
}
