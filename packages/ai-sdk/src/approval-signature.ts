import { encodeBase64 } from './base64.ts';

/** What a signature speaks for: that this process asked for the approval of exactly this call. */
export interface SignedRequest {
  readonly approvalId: string;
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
}

/**
 * Signs an approval request as the SDK signs its own when `experimental_toolApprovalSecret` is set, so that it accepts
 * ours: HMAC-SHA-256 over the four values, one a line. `ai` 6 knows only this form, and `ai` 7 still accepts it.
 *
 * Answers nothing where a value has a line break, since that would not be unambiguous; the SDK then refuses the call.
 */
export async function signApprovalRequest(
  secret: string | Uint8Array,
  { approvalId, toolCallId, toolName, input }: SignedRequest,
): Promise<string | undefined> {
  const values = [approvalId, toolCallId, toolName];
  if (values.some((value) => value.includes('\n'))) return undefined;
  const digest = await crypto.subtle.digest('SHA-256', encoded(sortedJson(input)));
  const key = await crypto.subtle.importKey(
    'raw',
    typeof secret === 'string' ? encoded(secret) : Uint8Array.from(secret),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  );
  const text = encoded([...values, base64Url(digest)].join('\n'));
  return base64Url(await crypto.subtle.sign('HMAC', key, text));
}

function encoded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** JSON with the fields of every object in order, as the SDK hashes it. */
function sortedJson(input: unknown): string {
  if (Array.isArray(input)) return `[${input.map(sortedJson).join(',')}]`;
  if (typeof input !== 'object' || input === null) return JSON.stringify(input) ?? 'null';
  const fields = Object.entries(input)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${JSON.stringify(name)}:${sortedJson(value)}`);
  return `{${fields.join(',')}}`;
}

function base64Url(bytes: ArrayBuffer): string {
  return encodeBase64(new Uint8Array(bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
