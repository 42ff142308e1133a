import type * as z from 'zod';
import { type JsonRequest, requestJson } from './json-request.ts';
import { SignalError } from './signal-error.ts';

/** Where a party publishes a document about itself: between host and path of its identifier (RFC 8615), or after it. */
export function wellKnownUrl(
  identifier: string,
  document: string,
  place: 'before path' | 'after path',
): URL {
  const url = new URL(identifier);
  const path = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
  url.pathname =
    place === 'before path' ? `/.well-known/${document}${path}` : `${path}/.well-known/${document}`;
  return url;
}

/** Reads metadata that anybody may read. @throws {SignalError} when it cannot be had, or is not what `schema` says. */
export async function fetchWellKnown<T>(request: JsonRequest, schema: z.ZodType<T>): Promise<T> {
  const { status, body } = await requestJson(request);
  if (status !== 200)
    throw new SignalError('refused', {
      problem: `the metadata was answered with ${status}`,
      status,
    });
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const fields = result.error.issues.map(({ path: at }) => at.join('.')).join(', ');
  throw new SignalError('malformed', {
    problem: `the metadata is wrong: ${fields || 'no object'}`,
  });
}
