import type { KeyedHash } from './keyed-hash.ts';
import type { Principal } from './principal.ts';
import { defaultTenant } from './record-key.ts';

/** Names a principal where names must not be read: the same in every process, and no way back. */
export function principalId(hash: KeyedHash, principal: Principal): Promise<string> {
  const { issuer, subject, tenant } = principal;
  return hash.hash('subject', JSON.stringify([tenant ?? defaultTenant, issuer ?? '', subject]));
}
