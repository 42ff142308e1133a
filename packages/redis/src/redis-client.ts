/** Hears of an event; what it is told differs from event to event. */
type Listener = (...details: unknown[]) => void;

/** What the store needs of a client of `redis` (node-redis 5.12 or later), made by `createClient`. */
export interface NodeRedisClient {
  duplicate(): NodeRedisClient;
  connect(): Promise<unknown>;
  destroy(): void;
  readonly isOpen: boolean;
  readonly isReady: boolean;
  sendCommand(args: readonly string[], options?: object): Promise<unknown>;
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  on(event: string, listener: Listener): unknown;
}

/** What the store needs of a client of `redis` for a cluster, made by `createCluster`. */
export interface NodeRedisCluster {
  duplicate(): NodeRedisCluster;
  connect(): Promise<unknown>;
  destroy(): void;
  readonly isOpen: boolean;
  readonly slots: readonly { readonly master: unknown }[];
  nodeClient(node: unknown): Promise<NodeRedisClient>;
  sendCommand(
    firstKey: string,
    isReadonly: boolean,
    args: string[],
    options?: object,
  ): Promise<unknown>;
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  on(event: string, listener: Listener): unknown;
}

interface IoRedisCommands {
  connect(): Promise<unknown>;
  disconnect(): void;
  readonly status: string;
  call(command: string, args: string[]): Promise<unknown>;
  pipeline(): {
    call(command: string, args: string[]): unknown;
    exec(): Promise<readonly (readonly [error: unknown, reply: unknown])[] | null>;
  };
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: string, listener: Listener): unknown;
}

/** What the store needs of a client of `ioredis` (5.4 or later), made by `new Redis()`. */
export interface IoRedisClient extends IoRedisCommands {
  readonly isCluster: boolean;
  readonly options: object;
  duplicate(override?: object): IoRedisClient;
}

/** What the store needs of a client of `ioredis` for a cluster, made by `new Cluster()`. */
export interface IoRedisCluster extends IoRedisCommands {
  readonly isCluster: boolean;
  readonly options: object;
  duplicate(startupNodes?: never[], override?: object): IoRedisCluster;
}

/**
 * A client of node-redis or of ioredis, for one server or for a cluster. It shows the store how to connect; the store
 * makes connections of its own from it (`duplicate`) and neither uses nor closes this one.
 */
export type RedisClient = NodeRedisClient | NodeRedisCluster | IoRedisClient | IoRedisCluster;
