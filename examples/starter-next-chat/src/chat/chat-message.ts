import type { AuthInterruptParts } from '@outlive/ai-sdk/ui';
import type { UIMessage } from 'ai';

/** A message of this chat. */
export type ChatMessage = UIMessage<unknown, AuthInterruptParts>;
