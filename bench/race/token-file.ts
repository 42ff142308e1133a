import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import * as z from 'zod';

/** The tokens in a file, as contestants keep them that leave storage to the app. */
export interface StoredTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  /** Epoch ms. */
  readonly expires_at: number;
}

/** The fields of a token response that are stored. */
const response = z.object({
  access_token: z.string(),
  /** Absent where the issuer keeps the old one. */
  refresh_token: z.string().optional(),
  /** Seconds. */
  expires_in: z.number(),
});

/** What to store of a token response that came just now. @throws {Error} when it is none. */
export function storedTokens(came: object, before?: StoredTokens): StoredTokens {
  const { access_token, refresh_token = before?.refresh_token, expires_in } = response.parse(came);
  if (refresh_token === undefined) throw new TypeError('the token response has no refresh token');
  return { access_token, refresh_token, expires_at: Date.now() + expires_in * 1000 };
}

/** What the file holds; nothing when its tokens were thrown away. */
export async function readTokens<Tokens = StoredTokens>(path: string): Promise<Tokens | undefined> {
  const content: Tokens | null = JSON.parse(await readFile(path, 'utf8'));
  return content ?? undefined;
}

/** What the file holds. @throws {Error} when its tokens were thrown away. */
export async function needTokens(path: string): Promise<StoredTokens> {
  const tokens = await readTokens(path);
  if (tokens === undefined) throw new Error('there are no tokens');
  return tokens;
}

/** Replaces the file in one step, so that nobody reads half of it. */
export async function writeTokens(path: string, tokens: object | undefined): Promise<void> {
  const written = `${path}.${randomUUID()}`;
  await writeFile(written, JSON.stringify(tokens ?? null));
  await rename(written, path);
}
