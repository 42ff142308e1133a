import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Contestant } from '../contestant.ts';
import { mcpProvider } from './mcp-provider.ts';

/** The client of the MCP SDK 2 on its HTTP transport with an `authProvider`. */
export const contestant: Contestant = {
  async open(session) {
    const transport = new StreamableHTTPClientTransport(new URL(session.mcpUrl), {
      authProvider: mcpProvider(session),
    });
    const client = new Client({ name: 'race', version: '1.0.0' });
    await client.connect(transport);
    return {
      async call() {
        await client.callTool({ name: 'items', arguments: {} });
        return 200;
      },
      close: () => client.close(),
    };
  },
};
