import { isProtectedTransport } from '@outlive/core';
import * as z from 'zod';
import { requestJson } from './json-request.ts';
import { SignalError } from './signal-error.ts';

const endpoint = z
  .string()
  .refine((value) => isProtectedUrl(value), 'expected an https URL, or an http URL on loopback');

const schema = z.looseObject({
  issuer: z.string(),
  jwks_uri: endpoint,
  configuration_endpoint: endpoint.optional(),
  status_endpoint: endpoint.optional(),
  add_subject_endpoint: endpoint.optional(),
  remove_subject_endpoint: endpoint.optional(),
  verification_endpoint: endpoint.optional(),
  delivery_methods_supported: z.array(z.string()).optional(),
});

/** What a transmitter says about itself (SSF 1.0 section 7.1). */
export interface TransmitterMetadata {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly configuration_endpoint?: string | undefined;
  readonly status_endpoint?: string | undefined;
  readonly add_subject_endpoint?: string | undefined;
  readonly remove_subject_endpoint?: string | undefined;
  readonly verification_endpoint?: string | undefined;
  readonly delivery_methods_supported?: readonly string[] | undefined;
}

/**
 * Reads the metadata of an issuer. The well-known part goes between host and path for a transmitter (SSF 1.0 section
 * 7.2), and after the path for an OpenID provider (OpenID Connect Discovery 1.0 section 4).
 *
 * @throws {SignalError} when it cannot be had, or is another issuer's.
 */
export async function fetchTransmitterMetadata(
  issuer: string,
  document: 'ssf-configuration' | 'openid-configuration',
  fetch: typeof globalThis.fetch,
): Promise<TransmitterMetadata> {
  const url = new URL(issuer);
  const path = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
  url.pathname =
    document === 'ssf-configuration'
      ? `/.well-known/${document}${path}`
      : `${path}/.well-known/${document}`;
  const { status, body } = await requestJson({ url, fetch });
  if (status !== 200)
    throw new SignalError('refused', {
      problem: `the metadata was answered with ${status}`,
      status,
    });
  const result = schema.safeParse(body);
  if (!result.success) {
    const fields = result.error.issues.map(({ path: at }) => at.join('.')).join(', ');
    throw new SignalError('malformed', {
      problem: `the metadata is wrong: ${fields || 'no object'}`,
    });
  }
  if (result.data.issuer !== issuer)
    throw new SignalError('malformed', { problem: 'the metadata is that of another issuer' });
  return result.data;
}

function isProtectedUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && isProtectedTransport(url);
}
