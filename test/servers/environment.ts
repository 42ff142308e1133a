import { env } from 'node:process';

/** The variables that the tests' servers read: PATH, REDIS_URL and POSTGRES_URL. An empty one counts as absent. */
export function environmentVariable(
  name: 'PATH' | 'REDIS_URL' | 'POSTGRES_URL',
): string | undefined {
  // biome-ignore lint/style/noProcessEnv: this is the one place where tests read it.
  return env[name] || undefined;
}
