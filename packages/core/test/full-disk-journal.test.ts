import { readdirSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { Secret } from '../src/index.ts';
import { fileJournal } from '../src/node.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { createWorld, reading, untilUnusableMs } from './world.ts';

// Writes half of what it is given, as a disk does that becomes full meanwhile.
vi.mock(import('node:fs/promises'), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    async open(...parameters: Parameters<typeof original.open>): Promise<FileHandle> {
      const file = await original.open(...parameters);
      const { writeFile } = file;
      file.writeFile = async (text) => {
        await Reflect.apply(writeFile, file, [String(text).slice(0, 20)]);
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
          code: 'ENOSPC',
        });
      };
      return file;
    },
  };
});

it('a full disk is told as such, and nothing half written stays behind', async () => {
  const directory = join(temporaryFolder(), 'journal');
  const journal = fileJournal({ directory, keys: 'unsealed' });
  await expect(journal.write('one', new Secret('{}'), 'grant|1')).rejects.toThrow(/ENOSPC/);
  expect(readdirSync(directory)).toEqual(['host']);
  expect(await journal.read('one')).toBeUndefined();
});

it('a refresh whose response cannot be journaled is stored all the same, and the log says so', async () => {
  const directory = join(temporaryFolder(), 'journal');
  const world = await createWorld();
  await using _ = world;
  const process = world.start({ journal: fileJournal({ directory, keys: 'unsealed' }) });
  await world.grant(process);
  const task = await world.task(process);
  world.clock.skip(untilUnusableMs);
  expect((await task.getAccessToken(reading)).generation).toBe(1);
  await process.outlive.verify(task.id);
  expect(world.events).toContainEqual(
    expect.objectContaining({
      type: 'refresh-in-doubt',
      reason: expect.stringMatching(/journal could not be written: ENOSPC/),
    }),
  );
});
