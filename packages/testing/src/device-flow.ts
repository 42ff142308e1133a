import { walkInBrowser } from './browser-walk.ts';
import type { AuthorizeOptions } from './code-flow.ts';
import { interactionPath } from './issuer-interactions.ts';

/** Walks the verification page of a device (RFC 8628 section 3.3) through its code, sign-in and consent. */
export async function walkDeviceFlow(
  url: URL,
  { subject, decision = 'allow' }: AuthorizeOptions,
): Promise<void> {
  await walkInBrowser(url, {
    leaves: () => false,
    submit({ url: at, html }) {
      if (at.pathname.startsWith(interactionPath))
        return { form: new URLSearchParams({ subject, decision }) };
      const fields = hiddenFields(html);
      // The page that asks for a code has none in it: there is nothing more to do.
      if (!fields.has('user_code')) return undefined;
      return { form: new URLSearchParams([...fields]), action: actionOf(html) };
    },
  });
}

function hiddenFields(html: string): ReadonlyMap<string, string> {
  const found = html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g);
  return new Map([...found].map(([, name = '', value = '']) => [name, value]));
}

function actionOf(html: string): string {
  return /<form[^>]*action="([^"]+)"/.exec(html)?.[1] ?? '';
}
