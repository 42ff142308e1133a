import { type NextRequest, NextResponse } from 'next/server';
import { sessionCookie } from './server/session.ts';

/** Gives each browser a session. */
export function proxy(request: NextRequest): NextResponse {
  if (request.cookies.has(sessionCookie)) return NextResponse.next();
  const id = crypto.randomUUID();
  request.cookies.set(sessionCookie, id);
  const response = NextResponse.next({ request });
  response.cookies.set(sessionCookie, id, { httpOnly: true, sameSite: 'lax', path: '/' });
  return response;
}

export const config = { matcher: ['/', '/chat/:path*', '/api/:path*', '/connect/:path*'] };
