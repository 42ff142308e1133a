import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { TestIssuer } from '@outlive/testing';

/** An MCP server (streamable HTTP, stateless) with the tool `items`, for the tokens of a test issuer. */
export interface McpServer extends AsyncDisposable {
  /** Where clients send messages; also its resource indicator (RFC 8707). */
  readonly url: string;
}

/** The fields of a JSON-RPC request that the server looks at. */
interface RpcRequest {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { readonly protocolVersion?: string };
}

/** Starts the server. It answers without a token only where its authorization server is (RFC 9728). */
export async function startMcpServer(issuer: TestIssuer): Promise<McpServer> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/mcp`;
  const metadataPath = '/.well-known/oauth-protected-resource';

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body?: object, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    if (request.url?.startsWith(metadataPath))
      return send(200, { resource: url, authorization_servers: [issuer.url] });
    if (request.url !== '/mcp') return send(404);
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined || (await issuer.accessToken(token)) === undefined)
      return send(401, undefined, {
        'www-authenticate': `Bearer error="invalid_token", resource_metadata="${new URL(metadataPath, url)}"`,
      });
    if (request.method !== 'POST') return send(405);
    const rpc = (await json(request)) as RpcRequest;
    if (rpc.id === undefined) return send(202);
    const result = resultOf(rpc);
    if (result === undefined)
      return send(200, {
        jsonrpc: '2.0',
        id: rpc.id,
        error: { code: -32601, message: 'Method not found' },
      });
    return send(200, { jsonrpc: '2.0', id: rpc.id, result });
  }

  return {
    url,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function resultOf({ method, params }: RpcRequest): object | undefined {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'race', version: '1.0.0' },
      };
    case 'tools/list':
      return { tools: [{ name: 'items', inputSchema: { type: 'object', properties: {} } }] };
    case 'tools/call':
      return { content: [{ type: 'text', text: '[]' }] };
    default:
      return undefined;
  }
}
