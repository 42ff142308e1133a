/** A request body in any of the forms that `fetch` takes. */
export type RequestBody = NonNullable<RequestInit['body']>;

/** A body, and whether it can be sent more than once. */
export interface CapturedBody {
  readonly content: RequestBody | undefined;
  readonly replayable: boolean;
}

/**
 * Takes a body as it is now, so that a replay sends the same content whatever the caller does with it meanwhile.
 *
 * Streams can be read once only; so can whatever else a runtime accepts that the Fetch standard does not name.
 */
export function captureBody(body: RequestInit['body']): CapturedBody {
  if (body === undefined || body === null) return { content: undefined, replayable: true };
  if (typeof body === 'string' || body instanceof Blob) return { content: body, replayable: true };
  if (body instanceof URLSearchParams)
    return { content: new URLSearchParams(body), replayable: true };
  if (body instanceof ArrayBuffer) return { content: body.slice(0), replayable: true };
  if (ArrayBuffer.isView(body)) {
    const bytes = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
    return { content: new Uint8Array(bytes), replayable: true };
  }
  if (body instanceof FormData) return { content: copyForm(body), replayable: true };
  return { content: body, replayable: false };
}

function copyForm(form: FormData): FormData {
  const copy = new FormData();
  for (const [name, value] of form.entries()) {
    if (typeof value === 'string') copy.append(name, value);
    else copy.append(name, value, value.name);
  }
  return copy;
}
