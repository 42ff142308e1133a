import { text } from 'node:stream/consumers';
import type { InteractionResults, Provider } from 'oidc-provider';
import type { TestUsers } from './issuer-users.ts';
import type { Middleware } from './token-endpoint.ts';

/** Where the sign-in and consent pages live. */
export const interactionPath = '/interaction/';

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

interface MissingConsent {
  readonly missingOIDCScope?: string[];
  readonly missingOIDCClaims?: string[];
  readonly missingResourceScopes?: Readonly<Record<string, string[]>>;
}

/**
 * The sign-in and consent pages: one form each, with a text field `subject` and the buttons `decision=allow` and
 * `decision=deny`, so that a person, a browser test and `authorize` can all use them.
 */
export function interactionPages(provider: Provider, users: TestUsers): Middleware {
  return async (context, next) => {
    if (!context.path.startsWith(interactionPath)) return next();

    const interaction = await provider.interactionDetails(context.req, context.res);
    if (context.method !== 'POST') {
      context.type = 'html';
      context.body = page(interaction);
      return;
    }
    const form = new URLSearchParams(await text(context.req));
    const finish = async (result: InteractionResults): Promise<void> => {
      context.status = 303;
      context.redirect(
        await provider.interactionResult(context.req, context.res, result, {
          mergeWithLastSubmission: true,
        }),
      );
    };

    if (form.get('decision') !== 'allow') {
      return finish({ error: 'access_denied', error_description: 'The user said no' });
    }
    if (interaction.prompt.name === 'consent') {
      return finish({ consent: { grantId: await saveConsent(provider, interaction) } });
    }
    const subject = form.get('subject') ?? '';
    if (subject === '' || !users.user(subject).active) {
      return finish({ error: 'access_denied', error_description: 'The user may not sign in' });
    }
    return finish({ login: { accountId: subject } });
  };
}

/** Grants everything that was asked for. */
async function saveConsent(provider: Provider, interaction: Interaction): Promise<string> {
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = interaction.prompt
    .details as MissingConsent;
  const earlier = interaction.grantId ? await provider.Grant.find(interaction.grantId) : undefined;
  const { client_id: clientId } = interaction.params;
  const grant =
    earlier ??
    new provider.Grant({ accountId: interaction.session?.accountId, clientId: String(clientId) });
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope);
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes);
  }
  return grant.save();
}

function page({ prompt, params, session }: Interaction): string {
  const { client_id: clientId, scope = '', login_hint: loginHint = '' } = params;
  const client = escapeHtml(String(clientId));
  const asked = escapeHtml(String(scope));
  const hint = escapeHtml(String(loginHint));
  const isLogin = prompt.name === 'login';
  const question = isLogin
    ? `<label>Subject <input name="subject" value="${hint}" autofocus></label>`
    : `<p><b>${client}</b> asks <b>${escapeHtml(session?.accountId ?? '')}</b> for: ${asked}</p>`;
  return `<!doctype html>
<html lang="en">
<title>${isLogin ? 'Sign in' : 'Allow access'} - test issuer</title>
<form method="post">
${question}
<button name="decision" value="allow">${isLogin ? 'Sign in' : 'Allow'}</button>
<button name="decision" value="deny">Deny</button>
</form>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
