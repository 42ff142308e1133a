import { environment } from '../../../server/environment.ts';

/** The demo's switch: the issuer ends the app's access in the middle of the next run. */
export async function POST(): Promise<Response> {
  const { DEMO_CONTROL_URL } = environment();
  if (DEMO_CONTROL_URL === undefined) return new Response(null, { status: 404 });
  return fetch(DEMO_CONTROL_URL, { method: 'POST' });
}
