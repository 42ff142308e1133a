import { join } from 'node:path';
import { ConfigurationError } from '@outlive/core';
import { describe, expect, it } from 'vitest';
import { type SqliteStoreOptions, sqliteStore } from '../src/index.ts';
import { temporaryFolder } from './temporary-folder.ts';

function refusalOf(options: unknown): ConfigurationError {
  try {
    sqliteStore(options as SqliteStoreOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return error as ConfigurationError;
  }
  throw new Error('the options were accepted');
}

describe('the options of sqliteStore', () => {
  it('refuses a path that is not the path of a file, and says what to do', () => {
    for (const path of [undefined, '', 7, 'a\0b']) {
      const refusal = refusalOf({ path });
      expect(refusal.paths).toEqual(['path']);
      expect(refusal.message).toMatch(/path must be the path of a file/);
    }
  });

  it('refuses a database in memory and sends its user to memoryStore', () => {
    for (const path of [':memory:', 'file:store.db?mode=memory'])
      expect(refusalOf({ path }).message).toMatch(/memoryStore\(\)/);
  });

  it('refuses a folder, and a file in a folder that does not exist', () => {
    const folder = temporaryFolder();
    expect(refusalOf({ path: folder }).message).toMatch(/not of a folder/);
    const missing = refusalOf({ path: join(folder, 'missing', 'store.db') });
    expect(missing.message).toMatch(/create the folder first/);
    expect(missing.paths).toEqual(['path']);
  });

  it('refuses times that are not milliseconds, and options that do not exist', () => {
    const path = join(temporaryFolder(), 'store.db');
    for (const busyTimeoutMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5'])
      expect(refusalOf({ path, busyTimeoutMs }).paths).toEqual(['busyTimeoutMs']);
    for (const watchPollMs of [0, -5, Number.NaN])
      expect(refusalOf({ path, watchPollMs }).paths).toEqual(['watchPollMs']);
    expect(refusalOf({ path, timeout: 5 }).message).toMatch(
      /timeout must be one of path, busyTimeoutMs, watchPollMs/,
    );
    expect(refusalOf(null).paths).toEqual(['options']);
  });
});
