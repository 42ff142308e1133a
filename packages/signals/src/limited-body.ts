/** The text of a body, or `undefined` when it is longer than `limitBytes`. No more than that is read. */
export async function readLimited(
  message: Request | Response,
  limitBytes: number,
): Promise<string | undefined> {
  if (message.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of message.body as ReadableStream<Uint8Array>) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (bytes > limitBytes) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
