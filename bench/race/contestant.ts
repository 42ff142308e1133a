import type { StoreName } from '../stores.ts';

/** What the processes of the race are told once. */
export interface Arena {
  readonly issuer: string;
  /** Ends with a slash; `items` below it wants a token. */
  readonly apiUrl: string;
  /** The same behind the Model Context Protocol: a tool named `items`. */
  readonly mcpUrl: string;
  /** Where each store is; only those that a contestant needs. */
  readonly places: Readonly<Partial<Record<StoreName, string>>>;
}

/** One person's session: a grant at the issuer, which several processes work with. */
export interface Session extends Arena {
  /** Unique in this race, also as a file name and a subject. */
  readonly name: string;
  /** The token file of contestants that leave storage to the app. All processes share it. */
  readonly tokenFile: string;
  /** What the file held at first. */
  readonly tokens: FirstTokens;
  /** To be called whenever the person would have to sign in again. */
  readonly loginPrompted: () => void;
}

/** The token response that a session starts from. */
export interface FirstTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly token_type: string;
  /** Seconds. */
  readonly expires_in: number;
  readonly scope: string;
}

/** One contestant's way to call the API for a session, in one process. */
export interface Client {
  /** Calls the API once; answers the HTTP status, or throws what the contestant throws. */
  call(): Promise<number>;
  close?(): Promise<void>;
}

/** A contestant: what its module exports as `contestant`. */
export interface Contestant {
  /** Runs once for a session, before any process opens it. */
  prepare?(session: Session): Promise<void>;
  /** Runs in each process. The session's access token is still good, and expires before the first call. */
  open(session: Session): Promise<Client>;
}

/** The clients that the issuer of the race knows: the same secret, sent in two ways (RFC 6749 section 2.3.1). */
export const basicClient = { clientId: 'basic', clientSecret: 'secret' } as const;

/** The client of contestants that send the secret in the body. */
export const postClient = { clientId: 'post', clientSecret: 'secret' } as const;

/** Calls the API with `accessToken`, for contestants that only provide tokens. */
export async function callApi({ apiUrl }: Session, accessToken: string): Promise<number> {
  const response = await fetch(`${apiUrl}items`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  await response.arrayBuffer();
  return response.status;
}
