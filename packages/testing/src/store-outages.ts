import type { Store } from '@outlive/core';
import { createHandles } from './store-contract/handles.ts';
import { type OutageRule, outageCases } from './store-contract/outage-cases.ts';
import type { StoreContractCase, StoreContractOptions } from './store-contract.ts';

/** The server behind a store, which the contract ends, freezes and cuts off. Nobody else may need it meanwhile. */
export interface ContractServer {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** Ends it at once, as a crash would. Its data stay. */
  readonly kill: () => Promise<void>;
  /** Starts it again; resolves once it serves. */
  readonly start: () => Promise<void>;
  /** Freezes it: connections stay open and nothing answers. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Whether a client sends a write of the store with these bytes, read as Latin-1. */
  readonly isWrite: (sent: string) => boolean;
}

/** How the contract reaches a driver and its server. */
export interface StoreOutageOptions
  extends Pick<StoreContractOptions, 'open' | 'watches' | 'wakeWithinMs'> {
  /**
   * One more handle on the data of `store`, whose connections lead to `port` of 127.0.0.1. Its operations should end in
   * a few seconds.
   */
  readonly reopenAt: (store: Store, port: number) => Promise<Store>;
  readonly server: ContractServer;
}

/**
 * What a driver of a store with a server must keep when connections break, and when the server stands still, is down, or
 * is killed while many write: as cases for any test runner, to be run one after the other.
 *
 * @example
 * for (const { name, run } of storeOutageContract({ open, reopenAt, server })) it(name, run);
 */
export function storeOutageContract(options: StoreOutageOptions): readonly StoreContractCase[] {
  const { server, reopenAt } = options;
  return outageCases
    .filter(({ needsWatch }) => options.watches !== false || needsWatch !== true)
    .map(({ name, run }: OutageRule) => ({
      name,
      async run() {
        const handles = await createHandles({
          ...options,
          reopen: (store) => reopenAt(store, server.port),
        });
        try {
          await run({
            ...handles,
            server,
            anotherAt: (port) => handles.open(() => reopenAt(handles.store, port)),
          });
        } finally {
          await handles.closeAll();
        }
      },
    }));
}
