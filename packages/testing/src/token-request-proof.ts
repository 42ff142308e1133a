import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { IssuerParts } from './issuer-provider.ts';
import { createProofChecker } from './proof-of-possession.ts';

/**
 * Reads the DPoP proof of a token request (RFC 9449 section 5) in grant types that oidc-provider does not have: the
 * thumbprint of its key, or nothing when there is no proof.
 */
export function proofReader({
  url,
  behaviour,
}: IssuerParts): (context: KoaContextWithOIDC) => Promise<string | undefined> {
  const checkProof = createProofChecker(() => behaviour.proofNonces);
  return async (context) => {
    const request = { method: context.method, url: `${url}${context.path}` };
    const finding = await checkProof(context.get('dpop'), request);
    if (finding.status === 'bad') throw new errors.InvalidDpopProof(finding.problem);
    if (finding.status === 'nonceWanted') {
      context.set('dpop-nonce', finding.nonce);
      throw new errors.UseDpopNonce('a nonce is wanted');
    }
    return finding.status === 'good' ? finding.thumbprint : undefined;
  };
}
