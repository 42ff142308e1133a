import type { Outlive } from '@outlive/core';

/** What a directory says when it disables an account (OpenID RISC, as a security event of RFC 8417 has it). */
export interface AccountDisabled {
  readonly jti: string;
  readonly sub_id: { readonly format: 'opaque'; readonly id: string };
  readonly events: Readonly<Record<string, unknown>>;
}

/** The event of this story. */
export const accountDisabled =
  'https://schemas.openid.net/secevent/risc/event-type/account-disabled';

/**
 * Takes in a pushed event: 202 when it is durable and every process was told, as RFC 8935 has it. A stand-in for the
 * receiver of `@outlive/signals`, which verifies signed tokens and knows more events than this one.
 */
export async function receiveEvent(
  outlive: Outlive,
  request: { readonly authorization: string | undefined; readonly body: string },
  expected: string,
): Promise<number> {
  if (request.authorization !== `Bearer ${expected}`) return 401;
  const event = JSON.parse(request.body) as AccountDisabled;
  if (!(accountDisabled in event.events)) return 400;
  const reason = `${accountDisabled} ${event.jti}`;
  await outlive.reportUserState(
    { subject: event.sub_id.id },
    { state: 'revoked', source: 'directory', reason },
  );
  return 202;
}
