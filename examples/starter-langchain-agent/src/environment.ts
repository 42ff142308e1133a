import { z } from 'zod';

/** What the agent may be started with. */
const schema = z.object({
  /** A model of OpenAI, or of whatever `OPENAI_BASE_URL` names. Absent: a script, offline. */
  MODEL: z.string().min(1).optional(),
});

/** The environment, checked. @throws {ZodError} naming every variable that is wrong. */
export function environment(): z.infer<typeof schema> {
  // biome-ignore lint/style/noProcessEnv: the one place where the example reads it.
  return schema.parse(process.env);
}
