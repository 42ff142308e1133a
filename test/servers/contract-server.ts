import type { ContractServer } from '@outlive/testing';
import type { ServerProcess } from './server-process.ts';

/** A server of the tests' own, as the outage contract wants it. */
export function contractServer(
  process: ServerProcess,
  isWrite: ContractServer['isWrite'],
): ContractServer {
  return {
    port: process.port,
    kill: () => process.end('SIGKILL'),
    start: () => process.start(),
    pause: () => process.pause(),
    resume: () => process.resume(),
    isWrite,
  };
}
