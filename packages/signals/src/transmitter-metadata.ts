import * as z from 'zod';
import { secureUrlSchema } from './receiver-options.ts';
import { SignalError } from './signal-error.ts';
import { fetchWellKnown, wellKnownUrl } from './well-known.ts';

const endpoint = secureUrlSchema;

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
  const url = wellKnownUrl(
    issuer,
    document,
    document === 'ssf-configuration' ? 'before path' : 'after path',
  );
  const metadata = await fetchWellKnown({ url, fetch }, schema);
  if (metadata.issuer !== issuer)
    throw new SignalError('malformed', { problem: 'the metadata is that of another issuer' });
  return metadata;
}
