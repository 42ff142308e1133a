import { type NextRequest, NextResponse } from 'next/server';
import { environment } from '../../../server/environment.ts';
import { outlive } from '../../../server/runtime.ts';
import { currentSession } from '../../../server/session.ts';

/** Where the issuer sends the browser back to. */
export async function GET(request: NextRequest): Promise<Response> {
  const { APP_URL } = environment();
  const session = await currentSession();
  const url = new URL(`${request.nextUrl.pathname}${request.nextUrl.search}`, APP_URL);
  const { status } = await outlive().connect.callback({ url, session: session.id });

  const next = new URL('/connected', APP_URL);
  next.searchParams.set('status', status);
  next.searchParams.set('chat', request.cookies.get('connect-chat')?.value ?? '');
  return NextResponse.redirect(next, 303);
}
