// biome-ignore-all assist/source/organizeImports: in reading order.
/**
 * Authorization interrupts in a chat: what the server writes, and what the browser does with it. No server code, no
 * framework.
 *
 * @packageDocumentation
 */

export { isAuthInterrupt } from './auth-interrupt.ts';
export type {
  AuthInterrupt,
  AuthInterruptPart,
  AuthInterruptParts,
  InterruptAnswer,
  InterruptedCall,
} from './auth-interrupt.ts';
export type { ChatMessage } from './chat-message.ts';

export { interruptBeforeTask, interruptOf, writeInterrupt } from './write-interrupt.ts';
export type { InterruptWriter, PausedOutcome } from './write-interrupt.ts';
export { takeAnswers } from './take-answers.ts';
export type { TakenAnswers } from './take-answers.ts';

export { waitingInterrupt } from './waiting-interrupt.ts';
export { answerInterrupt } from './answer-interrupt.ts';
export type { AnswerableChat } from './answer-interrupt.ts';
export { continuesWhenAnswered } from './continues-when-answered.ts';

export { announceConnection, onConnection } from './connection-news.ts';
export type { ConnectionNews } from './connection-news.ts';
