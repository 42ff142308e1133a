import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Journal, Secret } from '@outlive/core';

/** A journal in a folder that all processes of a test share: one host. It seals nothing; its tokens are the test's. */
export function folderJournal(folder: string): Journal {
  const fileOf = (attemptId: string): string => join(folder, `${attemptId}.journal`);
  return {
    host: 'this-machine',
    write: (attemptId, body) => writeFile(fileOf(attemptId), body.reveal(), { flush: true }),
    async read(attemptId) {
      try {
        return new Secret(await readFile(fileOf(attemptId), 'utf8'));
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    erase: (attemptId) => rm(fileOf(attemptId), { force: true }),
  };
}
