import * as z from 'zod';
import type { GrantReference } from './grant-import.ts';
import type { Principal } from './principal.ts';
import { principalSchema } from './validation.ts';

/** What every way of connecting takes. */
export interface ConnectionOptions extends GrantReference {
  /** Scopes to ask for; the provider's own, like `openid` or `offline_access`, included. */
  readonly scopes: readonly string[];
  /** Names of resources to ask for, where the provider takes resource indicators (RFC 8707). */
  readonly resources?: readonly string[];
  /** The pause that this is for: it must be one of this principal's tasks, and still wait when the person comes back. */
  readonly pauseId?: string;
  /**
   * The person's account at the issuer, where the app knows it: its subject in ID tokens. A renewal must come back
   * with the account that was connected before in any case. Needs the scope `openid`.
   */
  readonly issuerSubject?: string;
}

/** What `connect.start` takes. */
export interface StartConnection extends ConnectionOptions {
  /**
   * The app's signed-in browser session, as the app names it: the callback must come back in the same one, or a
   * forwarded link would lend somebody else's authority.
   */
  readonly session: string;
  readonly loginHint?: string;
  /** Further parameters of the authorization request, e.g. `prompt`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** What `connect.callback` takes. */
export interface FinishConnection {
  /** The whole URL that the browser came back to. */
  readonly url: string | URL;
  /** The session that the browser is signed in to now. */
  readonly session: string;
  /** Who is signed in to it now. Where sessions outlive a sign-out, this is what tells the next person apart. */
  readonly principal?: Principal;
}

/** What `connect.device` takes. The account must be known: whoever enters the code would be connected otherwise. */
export type StartDeviceConnection = ConnectionOptions;

/** What `connect.backchannel` takes. */
export interface StartBackchannelConnection extends ConnectionOptions {
  /** Who is asked, as the issuer knows them. */
  readonly loginHint: string;
  /** Shown on the person's phone. Default: the beginning of the pause's id, which the app can show beside it. */
  readonly bindingMessage?: string;
}

/** A connection that the person makes elsewhere. */
export interface StartedConnection {
  /** For `connect.poll`. Keep it where only this person's app session finds it. */
  readonly connectionId: string;
  /** Epoch ms. */
  readonly expiresAt: number;
  readonly pollEveryMs: number;
}

/** What the person needs who connects by device. */
export interface DeviceConnection extends StartedConnection {
  readonly userCode: string;
  readonly verificationUrl: string;
  /** With the code in it, for a QR code. */
  readonly verificationUrlComplete?: string;
}

const text = z.string().min(1);
const options = {
  provider: text,
  principal: principalSchema,
  account: text.optional(),
  scopes: z.array(text).min(1, 'expected at least one scope'),
  resources: z.array(text).optional(),
  pauseId: text.optional(),
  issuerSubject: text.optional(),
};
/** Checks what `connect.start` takes. */
export const startSchema: z.ZodType = z.strictObject({
  ...options,
  session: text,
  loginHint: text.optional(),
  parameters: z.record(z.string(), z.string()).optional(),
});
/** Checks what `connect.device` takes. */
export const deviceSchema: z.ZodType = z.strictObject(options);
/** Checks what `connect.backchannel` takes. */
export const backchannelSchema: z.ZodType = z.strictObject({
  ...options,
  loginHint: text,
  bindingMessage: text.optional(),
});
/** Checks what `connect.callback` takes. */
export const finishSchema: z.ZodType = z.strictObject({
  url: z.union([z.url(), z.instanceof(URL)]),
  session: text,
  principal: principalSchema.optional(),
});
