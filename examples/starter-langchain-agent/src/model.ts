import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { ChatOpenAI } from '@langchain/openai';
import { environment } from './environment.ts';
import { scriptedModel } from './scripted-model.ts';

/** The model that `MODEL` names; without it one that plays a script, offline. */
export function chatModel(): BaseChatModel {
  const { MODEL } = environment();
  return MODEL === undefined ? scriptedModel() : new ChatOpenAI({ model: MODEL });
}
