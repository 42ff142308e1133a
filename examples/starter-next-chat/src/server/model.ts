import type { LanguageModel } from 'ai';
import { environment } from './environment.ts';

/** The model that `MODEL` names, through the AI Gateway; without it one that plays a script, offline. */
export async function chatModel(): Promise<LanguageModel> {
  const { MODEL, SCRIPTED_MODEL } = environment();
  if (MODEL !== undefined) return MODEL;
  if (SCRIPTED_MODEL === undefined) throw new Error('MODEL: expected the name of a model');
  // Not bundled: the script and the issuer that its package brings are no part of the app.
  const script: { scriptedModel(): LanguageModel } = await import(
    /* turbopackIgnore: true */ SCRIPTED_MODEL
  );
  return script.scriptedModel();
}
