import { readFile, writeFile } from 'node:fs/promises';
import type { NaiveAssignment } from './messages.ts';

interface TokenPair {
  readonly access_token: string;
  readonly refresh_token: string;
}

/**
 * Credentials as most code keeps them: load `token.json` at start, refresh on a 401, save the new pair.
 *
 * It is not careless: parallel calls of this process share one refresh. What it cannot know is that another process
 * has refreshed meanwhile, and that its own refresh token is used up.
 */
export async function openTokenFile(
  settings: Pick<NaiveAssignment, 'tokenPath' | 'issuerUrl' | 'clientSecret' | 'apiUrl'>,
): Promise<{ fetch(path: string, init: RequestInit): Promise<Response> }> {
  const { tokenPath, issuerUrl, clientSecret, apiUrl } = settings;
  let tokens: TokenPair = JSON.parse(await readFile(tokenPath, 'utf8'));
  let refreshing: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    const response = await fetch(`${issuerUrl}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`agent:${clientSecret}`)}` },
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token,
        scope: 'tickets:read tickets:write',
      }),
    });
    if (!response.ok)
      throw new Error(`401 Unauthorized, and the refresh failed: ${response.status}`);
    tokens = (await response.json()) as TokenPair;
    await writeFile(tokenPath, JSON.stringify(tokens));
  }

  const send = (path: string, init: RequestInit): Promise<Response> =>
    fetch(`${apiUrl}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });

  return {
    async fetch(path, init) {
      const response = await send(path, init);
      if (response.status !== 401) return response;
      refreshing ??= refresh().finally(() => {
        refreshing = undefined;
      });
      await refreshing;
      return send(path, init);
    },
  };
}
