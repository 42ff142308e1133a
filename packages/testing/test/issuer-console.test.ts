import * as oidc from 'openid-client';
import { expect, it, vi } from 'vitest';
import { createTestIssuer } from '../src/index.ts';
import { confidentialClient } from './issuer-client.ts';

// A file of its own: oidc-provider warns once a process, so an earlier test could have used the warning up.
it('an issuer says nothing to the console', async () => {
  const said = (['log', 'info', 'warn', 'error'] as const).map((method) =>
    vi.spyOn(console, method).mockReturnValue(),
  );

  await using issuer = await createTestIssuer();
  const client = await confidentialClient(issuer);
  const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
  await oidc.refreshTokenGrant(client, tokenResponse.refresh_token);
  await oidc.tokenIntrospection(client, tokenResponse.access_token);
  await oidc.tokenRevocation(client, tokenResponse.access_token);
  const verifier = oidc.randomPKCECodeVerifier();
  await issuer.authorize(
    oidc.buildAuthorizationUrl(client, {
      redirect_uri: 'http://127.0.0.1:9999/callback',
      scope: 'openid read',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }),
    { subject: 'ana' },
  );

  for (const method of said) expect(method).not.toHaveBeenCalled();
});
