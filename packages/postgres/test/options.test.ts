import { ConfigurationError } from '@outlive/core';
import { Client, Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { type PostgresStoreOptions, postgresStore } from '../src/index.ts';

function refusalOf(options: unknown): ConfigurationError {
  try {
    postgresStore(options as PostgresStoreOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return error as ConfigurationError;
  }
  throw new Error('the options were accepted');
}

describe('the options of postgresStore', () => {
  const pool = new Pool();

  it('takes a pool of pg, and a direct connection as a string or as a config', async () => {
    const config = { host: '127.0.0.1', port: 1, user: 'u', ssl: { rejectUnauthorized: true } };
    for (const listen of [undefined, 'postgres://u@127.0.0.1:1/d', 'postgresql://u@h/d', config])
      await postgresStore({ pool, listen }).close();
  });

  it('refuses what is not a pool, a single client too', () => {
    for (const other of [undefined, null, 'postgres://', {}, new Client()]) {
      const refusal = refusalOf({ pool: other });
      expect(refusal.paths).toEqual(['pool']);
      expect(refusal.message).toMatch(/must be a Pool of pg/);
    }
  });

  it('refuses what is not a connection, without showing it: it may hold a password', () => {
    for (const listen of ['user:secret@host', 7, null, ['secret']]) {
      const refusal = refusalOf({ pool, listen });
      expect(refusal.paths).toEqual(['listen']);
      expect(refusal.message).not.toMatch(/secret/);
    }
  });

  it('refuses schemas that would have to be quoted, that are too long or the system’s', () => {
    for (const schema of ['', 'Outlive', 'a"b', 'a b', '1a', 'pg_x', 'x'.repeat(52), 7])
      expect(refusalOf({ pool, schema }).paths).toEqual(['schema']);
  });

  it('refuses times that are not milliseconds, and options that do not exist', () => {
    for (const name of ['watchPollMs', 'operationTimeoutMs'])
      for (const value of [0, -5, Number.NaN, Number.POSITIVE_INFINITY, '5'])
        expect(refusalOf({ pool, [name]: value }).paths).toEqual([name]);
    expect(refusalOf({ pool, onWarning: 'loud' }).paths).toEqual(['onWarning']);
    expect(refusalOf({ pool, url: 'postgres://' }).message).toMatch(/url must be one of pool,/);
    expect(refusalOf(null).paths).toEqual(['options']);
  });
});
