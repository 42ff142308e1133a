import * as oidc from 'openid-client';
import { openProofKey } from './proof-key.ts';
import { createRecentMap } from './recent-map.ts';
import type { Secret } from './secret.ts';

/** Keys whose proofs know the issuer's nonce without asking for it. */
const rememberedKeys = 1000;

/**
 * How requests to an issuer prove possession of a key (RFC 9449). A nonce that the issuer wants is fetched by
 * openid-client with one more request, and kept here for the next proof of the same key.
 */
export function createIssuerProofs(): (
  configuration: oidc.Configuration,
  key: Secret,
) => Promise<oidc.DPoPHandle> {
  const handles = createRecentMap<string, oidc.DPoPHandle>(rememberedKeys);
  return async (configuration, key) => {
    const { thumbprint, privateKey, publicKey } = await openProofKey(key);
    const handle =
      handles.get(thumbprint) ?? oidc.getDPoPHandle(configuration, { privateKey, publicKey });
    handles.set(thumbprint, handle);
    return handle;
  };
}
