import { NextResponse } from 'next/server';
import { connectionScopes, outlive } from '../../server/runtime.ts';
import { currentSession } from '../../server/session.ts';

/** Sends the browser to the issuer, and remembers which chat to come back to. */
export async function GET(request: Request): Promise<Response> {
  const session = await currentSession();
  const { url } = await outlive().connect.start({
    provider: 'desk',
    principal: { subject: session.userId },
    scopes: connectionScopes,
    session: session.id,
    loginHint: session.userId,
  });
  const response = NextResponse.redirect(url, 303);
  const chat = new URL(request.url).searchParams.get('chat') ?? '';
  response.cookies.set('connect-chat', chat, {
    httpOnly: true,
    sameSite: 'lax',
    path: '/connect',
    maxAge: 600,
  });
  return response;
}
