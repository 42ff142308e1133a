import type { TestTransmitter } from '@outlive/testing';
import {
  base64url,
  CompactEncrypt,
  exportJWK,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { eventTypes } from '../src/index.ts';
import { aliceThere, pushCredentials, subjectOf } from './world.ts';

/** A token, or a whole request, that no receiver should accept. */
export interface BadInput {
  readonly name: string;
  readonly error: string;
  /** Changes of the claims of a correct token. */
  readonly claims?: (transmitter: TestTransmitter) => Readonly<Record<string, unknown>>;
  readonly signing?: () => Promise<Parameters<TestTransmitter['sign']>[1]>;
  /** Replaces the token altogether. */
  readonly token?: (good: string, claims: Record<string, unknown>) => string | Promise<string>;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const now = (): number => Math.floor(Date.now() / 1000);
const day = 86_400;
const events = (type: string, payload: unknown) => () => ({ events: { [type]: payload } });
const subject = (value: unknown) => () => ({ sub_id: value });
const header = (change: Record<string, unknown>) => async () => ({ header: change });

export const badInputs: readonly BadInput[] = [
  // Not a request that carries a token.
  {
    name: 'no credentials',
    error: 'authentication_failed',
    headers: { authorization: '' },
  },
  {
    name: 'other credentials',
    error: 'authentication_failed',
    headers: { authorization: 'Bearer guess' },
  },
  {
    name: 'credentials that only begin right',
    error: 'authentication_failed',
    headers: { authorization: pushCredentials.slice(0, -1) },
  },
  {
    name: 'sent with PUT',
    error: 'invalid_request',
    method: 'PUT',
  },
  {
    name: 'sent as JSON',
    error: 'invalid_request',
    headers: { 'content-type': 'application/json' },
  },
  {
    name: 'sent as another kind of JWT',
    error: 'invalid_request',
    headers: { 'content-type': 'application/jwt' },
  },
  {
    name: 'no content type',
    error: 'invalid_request',
    headers: { 'content-type': '' },
  },

  // Malformed.
  { name: 'an empty body', error: 'invalid_request', token: () => '' },
  { name: 'a text that is no token', error: 'invalid_request', token: () => 'hello' },
  {
    name: 'claims without a signature',
    error: 'invalid_request',
    token: (good) => good.split('.').slice(0, 2).join('.'),
  },
  {
    name: 'a token in JSON serialization',
    error: 'invalid_request',
    token: (good) => {
      const [protectedHeader, payload, signature] = good.split('.');
      return JSON.stringify({ protected: protectedHeader, payload, signature });
    },
  },
  { name: 'two tokens', error: 'invalid_request', token: (good) => `${good} ${good}` },
  {
    name: 'an encrypted token',
    error: 'invalid_request',
    token: async (good) => {
      const { publicKey } = await generateKeyPair('RSA-OAEP-256');
      return new CompactEncrypt(new TextEncoder().encode(good))
        .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM' })
        .encrypt(publicKey);
    },
  },
  {
    name: 'claims that are no JSON',
    error: 'invalid_key',
    token: (good) => good.replace(/\.[^.]*\./, `.${base64url.encode('{oops')}.`),
  },
  {
    name: 'a token of more than 64 KiB',
    error: 'invalid_request',
    claims: () => ({ padding: 'x'.repeat(70_000) }),
  },
  { name: 'a body of a megabyte', error: 'invalid_request', token: () => 'x'.repeat(1_048_576) },
  {
    name: 'an unknown critical header',
    error: 'invalid_request',
    signing: header({ crit: ['b64x'], b64x: true }),
    token: async (good, claims) => {
      const [, , signature] = good.split('.');
      const head = base64url.encode(
        JSON.stringify({ alg: 'RS256', typ: 'secevent+jwt', crit: ['x'], x: 1 }),
      );
      return `${head}.${base64url.encode(JSON.stringify(claims))}.${signature}`;
    },
  },

  // Forged.
  {
    name: 'signed by another key of the same name',
    error: 'invalid_key',
    signing: async () => ({ key: (await generateKeyPair('RS256')).privateKey }),
  },
  {
    name: 'signed by a key that nobody published',
    error: 'invalid_key',
    signing: header({ kid: 'nobody' }),
  },
  {
    name: 'not signed',
    error: 'invalid_key',
    token: (_good, claims) =>
      `${base64url.encode(JSON.stringify({ alg: 'none', typ: 'secevent+jwt' }))}.${base64url.encode(JSON.stringify(claims))}.`,
  },
  {
    name: 'signed with a shared secret',
    error: 'invalid_key',
    token: (_good, claims) =>
      new SignJWT(claims as JWTPayload)
        .setProtectedHeader({ alg: 'HS256', typ: 'secevent+jwt' })
        .sign(new TextEncoder().encode('x'.repeat(32))),
  },
  {
    name: 'signed with a key that it brings along',
    error: 'invalid_key',
    token: async (_good, claims) => {
      const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
      return new SignJWT(claims as JWTPayload)
        .setProtectedHeader({ alg: 'RS256', typ: 'secevent+jwt', jwk: await exportJWK(publicKey) })
        .sign(privateKey);
    },
  },
  {
    name: 'with claims that were changed after it was signed',
    error: 'invalid_key',
    token: (good, claims) =>
      good.replace(/\.[^.]*\./, `.${base64url.encode(JSON.stringify({ ...claims, txn: 'x' }))}.`),
  },
  {
    name: 'with a signature that was cut',
    error: 'invalid_key',
    token: (good) => good.slice(0, -10),
  },

  // Another kind of token, and tokens for others.
  {
    name: 'typed as an access token',
    error: 'invalid_request',
    signing: header({ typ: 'at+jwt' }),
  },
  {
    name: 'typed as a logout token',
    error: 'invalid_request',
    signing: header({ typ: 'logout+jwt' }),
  },
  { name: 'without a type', error: 'invalid_request', signing: header({ typ: undefined }) },
  { name: 'with an expiry', error: 'invalid_request', claims: () => ({ exp: now() + 3600 }) },
  { name: 'with a sub', error: 'invalid_request', claims: () => ({ sub: aliceThere }) },
  {
    name: 'of another issuer',
    error: 'invalid_issuer',
    claims: () => ({ iss: 'https://other.example' }),
  },
  {
    name: 'of an issuer that differs by a slash',
    error: 'invalid_issuer',
    claims: ({ url }) => ({ iss: `${url}/` }),
  },
  { name: 'without an issuer', error: 'invalid_issuer', claims: () => ({ iss: undefined }) },
  {
    name: 'for another audience',
    error: 'invalid_audience',
    claims: () => ({ aud: 'https://other.example' }),
  },
  {
    name: 'for several others',
    error: 'invalid_audience',
    claims: () => ({ aud: ['https://a.example', 'https://b.example'] }),
  },
  { name: 'without an audience', error: 'invalid_audience', claims: () => ({ aud: undefined }) },

  // Stale, and without what tells it from others.
  {
    name: 'more than a week old',
    error: 'invalid_request',
    claims: () => ({ iat: now() - 8 * day }),
  },
  { name: 'of tomorrow', error: 'invalid_request', claims: () => ({ iat: now() + day }) },
  { name: 'without a date', error: 'invalid_request', claims: () => ({ iat: undefined }) },
  {
    name: 'with a date that is a text',
    error: 'invalid_request',
    claims: () => ({ iat: '2026-01-01' }),
  },
  { name: 'not valid yet', error: 'invalid_request', claims: () => ({ nbf: now() + day }) },
  { name: 'without an id', error: 'invalid_request', claims: () => ({ jti: undefined }) },
  { name: 'with an empty id', error: 'invalid_request', claims: () => ({ jti: '' }) },
  { name: 'with an id that is a number', error: 'invalid_request', claims: () => ({ jti: 7 }) },

  // Its event.
  { name: 'without events', error: 'invalid_request', claims: () => ({ events: undefined }) },
  { name: 'with no event', error: 'invalid_request', claims: () => ({ events: {} }) },
  {
    name: 'with a list of events',
    error: 'invalid_request',
    claims: () => ({ events: [eventTypes.sessionRevoked] }),
  },
  {
    name: 'with two events',
    error: 'invalid_request',
    claims: () => ({
      events: { [eventTypes.sessionRevoked]: {}, [eventTypes.accountDisabled]: {} },
    }),
  },
  {
    name: 'with an event that is a text',
    error: 'invalid_request',
    claims: events(eventTypes.sessionRevoked, 'now'),
  },
  {
    name: 'with an event that is null',
    error: 'invalid_request',
    claims: events(eventTypes.sessionRevoked, null),
  },
  {
    name: 'that happens tomorrow',
    error: 'invalid_request',
    claims: events(eventTypes.sessionRevoked, { event_timestamp: now() + day }),
  },
  {
    name: 'that happened at a text',
    error: 'invalid_request',
    claims: events(eventTypes.sessionRevoked, { event_timestamp: 'noon' }),
  },
  {
    name: 'of a credential change that does not say which',
    error: 'invalid_request',
    claims: events(eventTypes.credentialChange, { credential_type: 'password' }),
  },
  {
    name: 'of a risk level that nobody knows',
    error: 'invalid_request',
    claims: events(eventTypes.riskLevelChange, { principal: 'USER', current_level: 'SEVERE' }),
  },
  {
    name: 'of a claims change without claims',
    error: 'invalid_request',
    claims: events(eventTypes.tokenClaimsChange, {}),
  },
  {
    name: 'of a device whose compliance is unknown',
    error: 'invalid_request',
    claims: events(eventTypes.deviceComplianceChange, {
      previous_status: 'compliant',
      current_status: 'maybe',
    }),
  },
  {
    name: 'of an assurance level that is missing',
    error: 'invalid_request',
    claims: events(eventTypes.assuranceLevelChange, { namespace: 'NIST-AAL' }),
  },
  {
    name: 'of a stream update without a status',
    error: 'invalid_request',
    claims: events(eventTypes.streamUpdated, {}),
  },
  {
    name: 'of a verification that is about a person',
    error: 'invalid_request',
    claims: events(eventTypes.verification, { state: 'x' }),
  },

  // Whom it is about.
  { name: 'about nobody', error: 'invalid_request', claims: subject(undefined) },
  { name: 'about a text', error: 'invalid_request', claims: subject(aliceThere) },
  {
    name: 'about a subject without a format',
    error: 'invalid_request',
    claims: subject({ sub: aliceThere }),
  },
  {
    name: 'about a subject without its name',
    error: 'invalid_request',
    claims: ({ url }) => ({ sub_id: { format: 'iss_sub', iss: url } }),
  },
  {
    name: 'about a subject whose name is a number',
    error: 'invalid_request',
    claims: ({ url }) => ({ sub_id: { format: 'iss_sub', iss: url, sub: 7 } }),
  },
  {
    name: 'about aliases that are none',
    error: 'invalid_request',
    claims: subject({ format: 'aliases', identifiers: [] }),
  },
  {
    name: 'about aliases within aliases',
    error: 'invalid_request',
    claims: subject({ format: 'aliases', identifiers: [{ format: 'aliases', identifiers: [] }] }),
  },
  {
    name: 'about a complex subject that names nobody',
    error: 'invalid_request',
    claims: subject({ format: 'complex' }),
  },
  {
    name: 'about a complex subject within another',
    error: 'invalid_request',
    claims: ({ url }) => ({
      sub_id: { format: 'complex', user: { format: 'complex', user: subjectOf({ url }) } },
    }),
  },
  {
    name: 'about a person of another directory',
    error: 'access_denied',
    claims: subject({ format: 'iss_sub', iss: 'https://other.example', sub: aliceThere }),
  },
  {
    name: 'about a person of another directory among aliases',
    error: 'access_denied',
    claims: ({ url }) => ({
      sub_id: {
        format: 'aliases',
        identifiers: [
          subjectOf({ url }),
          { format: 'iss_sub', iss: 'https://other.example', sub: 'bob' },
        ],
      },
    }),
  },
];
