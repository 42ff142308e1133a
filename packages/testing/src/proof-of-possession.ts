import { createHash, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, errors, jwtVerify } from 'jose';

/** What a DPoP proof shows (RFC 9449 section 4.3). */
export type ProofFinding =
  | { readonly status: 'absent' }
  /** `thumbprint` is that of the key that made it (RFC 7638). */
  | { readonly status: 'good'; readonly thumbprint: string }
  | { readonly status: 'bad'; readonly problem: string }
  /** Good but for the nonce: it must be made again with this one (RFC 9449 sections 8 and 9). */
  | { readonly status: 'nonceWanted'; readonly nonce: string };

/** What a proof has to be about. */
export interface ProvenRequest {
  readonly method: string;
  readonly url: string;
  /** Present where the proof goes with an access token: its hash must be in the proof. */
  readonly accessToken?: string;
}

/** Checks proofs, each of which is good once. */
export type ProofChecker = (
  proof: string | undefined,
  request: ProvenRequest,
) => Promise<ProofFinding>;

/** How old a proof without a nonce may be, or how far in the future, seconds. */
const windowSeconds = 300;

/** `nonceWanted` is asked with each proof: whether it has to hold a nonce of this checker. */
export function createProofChecker(nonceWanted: () => boolean): ProofChecker {
  const seen = new Set<string>();
  const nonces = new Set<string>();

  return async (proof, request) => {
    if (proof === undefined || proof === '') return { status: 'absent' };
    try {
      const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: ['ES256'],
      });
      const { jti = '', nonce: given } = payload as { readonly jti?: string; nonce?: string };
      const problem = problemOf(payload, request) ?? (seen.has(jti) ? 'jti' : undefined);
      if (problem !== undefined) return { status: 'bad', problem };
      if (nonceWanted() && !nonces.has(given ?? '')) {
        const nonce = randomUUID();
        nonces.add(nonce);
        return { status: 'nonceWanted', nonce };
      }
      seen.add(jti);
      const { kty = '', crv = '', x = '', y = '' } = protectedHeader.jwk ?? {};
      return { status: 'good', thumbprint: await calculateJwkThumbprint({ kty, crv, x, y }) };
    } catch (error) {
      if (error instanceof errors.JOSEError) return { status: 'bad', problem: error.code };
      throw error;
    }
  };
}

/** The first claim that does not fit the request. */
function problemOf(
  payload: Readonly<Record<string, unknown>>,
  { method, url, accessToken }: ProvenRequest,
): string | undefined {
  const { htm, htu, ath, jti, iat, nonce } = payload;
  if (typeof jti !== 'string' || jti === '') return 'jti';
  if (htm !== method) return 'htm';
  if (typeof htu !== 'string' || withoutQuery(htu) !== withoutQuery(url)) return 'htu';
  if (accessToken !== undefined && ath !== sha256(accessToken)) return 'ath';
  const isRecent = Math.abs(Number(iat) - Date.now() / 1000) <= windowSeconds;
  return isRecent || nonce !== undefined ? undefined : 'iat';
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
