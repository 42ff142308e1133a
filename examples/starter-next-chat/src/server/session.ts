import { cookies } from 'next/headers';

/** Who is signed in, and the id of this browser's session. */
export interface Session {
  readonly id: string;
  readonly userId: string;
}

/** The name of the cookie that `proxy.ts` sets. */
export const sessionCookie = 'chat-session';

/**
 * The session of the request. Everybody is Ana here: put your own sign-in in this place.
 *
 * @throws {Error} when the browser has no session.
 */
export async function currentSession(): Promise<Session> {
  const id = (await cookies()).get(sessionCookie)?.value;
  if (id === undefined) throw new Error('there is no session: open the page first');
  return { id, userId: 'ana' };
}
