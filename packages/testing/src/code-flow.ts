/** What the person at the browser does. */
export interface AuthorizeOptions {
  /** Who signs in; created at first mention. */
  readonly subject: string;
  /** Default `allow`. */
  readonly decision?: 'allow' | 'deny';
}

const maximumHops = 20;

/**
 * Walks an authorization request through sign-in and consent as a browser would, with a fresh cookie jar.
 *
 * The callback itself is not requested; its URL is the answer, with `code` or `error`, `state` and `iss`.
 *
 * @throws {Error} when the issuer answers with an error page instead of a redirect.
 */
export async function walkCodeFlow(
  issuerUrl: string,
  url: URL,
  { subject, decision = 'allow' }: AuthorizeOptions,
): Promise<URL> {
  const cookies = new Map<string, string>();
  let at = url;
  let form: URLSearchParams | undefined;

  for (let hop = 0; hop < maximumHops; hop += 1) {
    const response = await fetch(at, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: form }),
    });
    for (const cookie of response.headers.getSetCookie()) remember(cookies, cookie);

    const location = response.headers.get('location');
    if (location !== null) {
      await response.body?.cancel();
      at = new URL(location, at);
      form = undefined;
      if (at.origin !== issuerUrl) return at;
    } else if (response.ok) {
      await response.body?.cancel();
      form = new URLSearchParams({ subject, decision });
    } else {
      throw new Error(
        `authorize: ${response.status} from ${at.pathname}: ${await response.text()}`,
      );
    }
  }
  throw new Error(`authorize: no callback after ${maximumHops} hops, now at ${at.pathname}`);
}

function remember(cookies: Map<string, string>, cookie: string): void {
  const [pair = ''] = cookie.split(';', 1);
  const [name = '', value = ''] = [
    pair.slice(0, pair.indexOf('=')),
    pair.slice(pair.indexOf('=') + 1),
  ];
  if (value === '') cookies.delete(name);
  else cookies.set(name, value);
}
