import { walkInBrowser } from './browser-walk.ts';

/** What the person at the browser does. */
export interface AuthorizeOptions {
  /** Who signs in; created at first mention. */
  readonly subject: string;
  /** Default `allow`. */
  readonly decision?: 'allow' | 'deny';
}

/**
 * Walks an authorization request through sign-in and consent as a browser would, with a fresh cookie jar.
 *
 * The callback itself is not requested; its URL is the answer, with `code` or `error`, `state` and `iss`.
 *
 * @throws {Error} when the issuer answers with an error page instead of a redirect.
 */
export function walkCodeFlow(
  issuerUrl: string,
  url: URL,
  { subject, decision = 'allow' }: AuthorizeOptions,
): Promise<URL> {
  return walkInBrowser(url, {
    leaves: ({ origin }) => origin !== issuerUrl,
    submit: () => ({ form: new URLSearchParams({ subject, decision }) }),
  });
}
