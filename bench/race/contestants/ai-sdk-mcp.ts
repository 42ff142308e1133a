import { createMCPClient } from '@ai-sdk/mcp';
import type { Contestant } from '../contestant.ts';
import { readTokens, writeTokens } from '../token-file.ts';
import { type McpTokens, mcpProvider } from './mcp-provider.ts';

/** `createMCPClient` on its HTTP transport with an `authProvider` that deletes only the tokens it was told of. */
export const contestant: Contestant = {
  async open(session) {
    const server = {
      issuer: session.issuer,
      authorizationServerUrl: session.issuer,
      tokenEndpoint: `${session.issuer}/token`,
    };
    const authProvider = {
      ...mcpProvider(session),
      authorizationServerInformation: () => server,
      // Its types say that storage shared by several must compare before it deletes.
      async invalidateCredentials(scope: string, context?: { tokens: McpTokens }): Promise<void> {
        if (scope !== 'all' && scope !== 'tokens') return;
        const stored = await readTokens<McpTokens>(session.tokenFile);
        if (context === undefined || stored?.refresh_token === context.tokens.refresh_token)
          await writeTokens(session.tokenFile, undefined);
      },
    };
    const client = await createMCPClient({
      transport: { type: 'http', url: session.mcpUrl, authProvider },
    });
    const { items } = await client.tools();
    if (items === undefined) throw new Error('the server of the race has no tool named items');
    return {
      async call() {
        await items.execute({}, { toolCallId: 'c1', messages: [], context: {} });
        return 200;
      },
      close: () => client.close(),
    };
  },
};
