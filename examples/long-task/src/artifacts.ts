import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A token in a file where it must not be. */
export interface Leak {
  readonly file: string;
  /** How many different tokens are in it. */
  readonly tokens: number;
}

/** What a search found. */
export interface Search {
  readonly filesSearched: number;
  readonly leaks: readonly Leak[];
}

/** Searches every file in a folder for the raw values of tokens. */
export async function searchForTokens(folder: string, tokens: readonly string[]): Promise<Search> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const leaks: Leak[] = [];
  for (const { parentPath, name } of files) {
    const content = await readFile(join(parentPath, name));
    const found = tokens.filter((token) => content.includes(token)).length;
    if (found > 0) leaks.push({ file: name, tokens: found });
  }
  return { filesSearched: files.length, leaks };
}
