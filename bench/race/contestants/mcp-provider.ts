import { basicClient, type Session } from '../contestant.ts';
import { readTokens, writeTokens } from '../token-file.ts';

/** The token of a Model Context Protocol client as it saves it: whatever fields it adds are kept. */
export interface McpTokens {
  access_token: string;
  refresh_token?: string | undefined;
  token_type: string;
  expires_in?: number | undefined;
  scope?: string | undefined;
}

/** What the three of them ask of a provider, as far as the race needs it. */
interface McpProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: {
    client_name: string;
    redirect_uris: string[];
    token_endpoint_auth_method: string;
  };
  clientInformation(): { client_id: string; client_secret: string; issuer: string };
  saveClientInformation(): void;
  tokens(): Promise<McpTokens | undefined>;
  saveTokens(tokens: McpTokens): Promise<void>;
  redirectToAuthorization(): void;
  saveCodeVerifier(): void;
  codeVerifier(): string;
  invalidateCredentials(scope: string): Promise<void>;
}

/**
 * An `OAuthClientProvider` over the token file, for the MCP SDKs of both majors and for `@ai-sdk/mcp`: a client
 * that is registered already, and a person who would have to sign in where they redirect to.
 */
export function mcpProvider(session: Session): McpProvider {
  const { clientId, clientSecret } = basicClient;
  const registered = { client_id: clientId, client_secret: clientSecret, issuer: session.issuer };
  return {
    redirectUrl: 'http://127.0.0.1:9/callback',
    clientMetadata: {
      client_name: 'race',
      redirect_uris: ['http://127.0.0.1:9/callback'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    clientInformation: () => registered,
    saveClientInformation: () => undefined,
    tokens: () => readTokens<McpTokens>(session.tokenFile),
    saveTokens: (tokens) => writeTokens(session.tokenFile, tokens),
    redirectToAuthorization: session.loginPrompted,
    saveCodeVerifier: () => undefined,
    codeVerifier: () => 'verifier',
    async invalidateCredentials(scope) {
      if (scope === 'all' || scope === 'tokens') await writeTokens(session.tokenFile, undefined);
    },
  };
}
