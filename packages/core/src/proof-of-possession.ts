import { SignJWT } from 'jose';
import { encode as encodeBase64Url } from 'jose/base64url';
import type { Clock } from './clock.ts';
import { openProofKey, proofAlgorithm } from './proof-key.ts';
import { randomId } from './random-id.ts';
import { createRecentMap } from './recent-map.ts';
import type { Secret } from './secret.ts';
import { parseChallenges } from './www-authenticate.ts';

/** Makes the proofs that go with tokens that are bound to a key (RFC 9449), and keeps the nonces that resources hand out. */
export interface ProofMaker {
  /** The `DPoP` header of one request (section 4.2). Good once. */
  proof(request: {
    readonly key: Secret;
    readonly method: string;
    readonly url: URL;
    readonly accessToken: Secret;
  }): Promise<string>;
  /**
   * Takes note of the nonce in a response (section 8.2), and answers whether the request was refused for want of it:
   * then it was not processed, and another proof may do.
   */
  heard(url: URL, response: Response): boolean;
}

/** More origins than any app's resources have. */
const rememberedOrigins = 1000;

/** Makes a {@link ProofMaker}. One for the whole process: a nonce is good for all requests to its origin. */
export function createProofMaker(clock: Clock): ProofMaker {
  const nonces = createRecentMap<string, string>(rememberedOrigins);
  return {
    async proof({ key, method, url, accessToken }) {
      const { privateKey, publicJwk } = await openProofKey(key);
      const nonce = nonces.get(url.origin);
      const claims = {
        jti: randomId(),
        htm: method,
        htu: `${url.origin}${url.pathname}`,
        iat: Math.floor(clock.now() / 1000),
        ath: await sha256(accessToken.reveal()),
        ...(nonce === undefined ? {} : { nonce }),
      };
      return new SignJWT(claims)
        .setProtectedHeader({ typ: 'dpop+jwt', alg: proofAlgorithm, jwk: publicJwk })
        .sign(privateKey);
    },

    heard(url, response) {
      const nonce = response.headers.get('dpop-nonce');
      if (nonce === null || nonce === '') return false;
      nonces.set(url.origin, nonce);
      return response.status === 401 && wantsNonce(response);
    },
  };
}

function wantsNonce(response: Response): boolean {
  return parseChallenges(response.headers.get('www-authenticate') ?? '').some(
    ({ scheme, parameters: { error } }) => scheme === 'dpop' && error === 'use_dpop_nonce',
  );
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return encodeBase64Url(new Uint8Array(digest));
}
