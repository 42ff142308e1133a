import { execFile } from 'node:child_process';
import { chmod, chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServerUser } from './postgres-server.ts';

const run = promisify(execFile);

/** A certificate for `localhost`, and for no other name, of an authority that nobody else trusts. */
export interface Certificates {
  /** The authority's certificate: its text, and where it lies. */
  readonly authority: string;
  readonly authorityFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  remove(): Promise<void>;
}

/**
 * Makes them with the program `openssl`.
 *
 * @param user who may read the key, besides root.
 */
export async function createCertificates(user?: ServerUser): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'outlive-certificates-'));
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): Promise<unknown> => run('openssl', [...args]);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl(
    ...['req', '-x509', ...key, '-days', '2', '-subj', '/CN=authority of a test'],
    ...['-keyout', file('authority.key'), '-out', file('authority.crt')],
  );
  await openssl(
    ...['req', '-x509', ...key, '-days', '2', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=CA:FALSE'],
    ...['-CA', file('authority.crt'), '-CAkey', file('authority.key')],
    ...['-keyout', file('server.key'), '-out', file('server.crt')],
  );
  await chmod(folder, 0o755);
  await chmod(file('server.key'), 0o600);
  if (user?.uid !== undefined && user.gid !== undefined)
    await chown(file('server.key'), user.uid, user.gid);
  return {
    authority: await readFile(file('authority.crt'), 'utf8'),
    authorityFile: file('authority.crt'),
    certificateFile: file('server.crt'),
    keyFile: file('server.key'),
    remove: () => rm(folder, { recursive: true }),
  };
}
