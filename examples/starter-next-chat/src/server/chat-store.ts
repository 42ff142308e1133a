import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PausedRun } from '@outlive/ai-sdk';
import type { ChatMessage } from '../chat/chat-message.ts';
import { environment } from './environment.ts';

/** A chat as the server keeps it: the browser's copy is never believed. */
export interface StoredChat {
  readonly id: string;
  /** Whose chat it is. */
  readonly owner: string;
  readonly messages: ChatMessage[];
  /** The run that waits for an answer, if one does. */
  readonly paused?: PausedRun;
}

/** The chat with this id; a new one when there is none. @throws {RangeError} when it is somebody else's, or no id. */
export async function loadChat(id: string, owner: string): Promise<StoredChat> {
  const path = pathOf(id);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return { id, owner, messages: [] };
    throw error;
  }
  const chat: StoredChat = JSON.parse(text);
  if (chat.owner !== owner) throw new RangeError('there is no such chat');
  return chat;
}

/** Keeps a chat, whole or not at all. */
export async function saveChat(chat: StoredChat): Promise<void> {
  const path = pathOf(chat.id);
  await mkdir(folder(), { recursive: true });
  const unfinished = `${path}.${crypto.randomUUID()}`;
  await writeFile(unfinished, JSON.stringify(chat));
  await rename(unfinished, path);
}

function pathOf(id: string): string {
  if (!/^[0-9a-f-]{36}$/.test(id)) throw new RangeError('there is no such chat');
  return join(folder(), `${id}.json`);
}

function folder(): string {
  return join(environment().DATA_FOLDER, 'chats');
}
