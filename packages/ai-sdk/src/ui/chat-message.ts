/** A message of a chat, as far as interrupts go: every `UIMessage` is one. */
export interface ChatMessage {
  readonly id: string;
  readonly role: string;
  readonly parts: readonly { readonly type: string }[];
}

/** A tool call in a message, static or dynamic. */
export interface ToolPart {
  readonly type: string;
  readonly toolCallId: string;
  readonly state: string;
  readonly preliminary?: boolean;
  readonly approval?: { readonly id: string; readonly approved?: boolean };
}

/** Whether a part of a message is a tool call; `isToolUIPart` of the SDK, without its code. */
export function isToolPart<Part extends { readonly type: string }>(
  part: Part,
): part is Part & ToolPart {
  return 'toolCallId' in part && 'state' in part;
}
