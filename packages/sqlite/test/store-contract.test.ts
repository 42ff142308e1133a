import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '@outlive/core';
import { storeContract } from '@outlive/testing';
import { afterAll, describe, it } from 'vitest';
import { sqliteStore } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'outlive-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true }));

const paths = new WeakMap<Store, string>();
let files = 0;

describe('sqliteStore keeps the store contract', () => {
  const cases = storeContract({
    async open() {
      files += 1;
      const path = join(folder, `${files}.db`);
      const store = sqliteStore({ path });
      paths.set(store, path);
      return store;
    },
    reopen: async (store) => sqliteStore({ path: paths.get(store) ?? '' }),
  });
  for (const { name, run } of cases) it(name, run, 60_000);
});
