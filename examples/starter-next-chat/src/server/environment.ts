import { z } from 'zod';

const key = z
  .base64()
  .transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
  .refine(({ byteLength }) => byteLength === 32, 'expected 32 bytes');

/** What the app is started with. `pnpm dev` fills it in; in production it comes from your secret manager. */
const schema = z.object({
  APP_URL: z.url(),
  /** Where chats and the store are kept. */
  DATA_FOLDER: z.string().min(1),
  SEALING_KEY: key,
  HASH_KEY: key,
  ISSUER_URL: z.url(),
  CLIENT_ID: z.string().min(1),
  CLIENT_SECRET: z.string().min(1),
  DESK_URL: z.url(),
  /** A model of the AI Gateway, for example `anthropic/claude-sonnet-4.5`. */
  MODEL: z.string().min(1).optional(),
  /** A module that plays a model offline, for when `MODEL` is absent. */
  SCRIPTED_MODEL: z.url().optional(),
  /** The demo's switch that ends the app's access in the middle of a run; absent hides the button. */
  DEMO_CONTROL_URL: z.url().optional(),
});

/** The environment, checked. */
export type Environment = z.infer<typeof schema>;

let checked: Environment | undefined;

/** Reads the environment. @throws {ZodError} naming every variable that is missing or wrong. */
export function environment(): Environment {
  // biome-ignore lint/style/noProcessEnv: the one place where the app reads it.
  checked ??= schema.parse(process.env);
  return checked;
}
