/** What somebody does at the pages of an issuer. */
export interface BrowserWalk {
  /** Whether a redirect to this URL ends the walk; it is not requested then. */
  leaves(url: URL): boolean;
  /** What is sent from a page, to `action` or back to the page itself; nothing ends the walk there. */
  submit(page: {
    readonly url: URL;
    readonly html: string;
  }): { readonly form: URLSearchParams; readonly action?: string } | undefined;
}

const maximumHops = 20;

/**
 * Goes from page to page as a browser would, with a fresh cookie jar. Answers where it ended.
 *
 * @throws {Error} when a page is an error, or the walk does not end.
 */
export async function walkInBrowser(start: URL, walk: BrowserWalk): Promise<URL> {
  const cookies = new Map<string, string>();
  let at = start;
  let form: URLSearchParams | undefined;

  for (let hop = 0; hop < maximumHops; hop += 1) {
    const response = await fetch(at, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: form }),
    });
    for (const cookie of response.headers.getSetCookie()) remember(cookies, cookie);

    const html = await response.text();
    const location = response.headers.get('location');
    if (location !== null) {
      at = new URL(location, at);
      form = undefined;
      if (walk.leaves(at)) return at;
    } else if (response.ok) {
      const sent = walk.submit({ url: at, html });
      if (sent === undefined) return at;
      at = new URL(sent.action ?? at, at);
      form = sent.form;
    } else {
      throw new Error(`authorize: ${response.status} from ${at.pathname}: ${html}`);
    }
  }
  throw new Error(`authorize: no end after ${maximumHops} hops, now at ${at.pathname}`);
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
