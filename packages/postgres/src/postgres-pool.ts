/** What a statement answered: the part of `pg`'s `QueryResult` that the store reads. */
export interface PostgresResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** What the store needs of a client that it borrows: `PoolClient` of `pg` has it. */
export interface PostgresPoolClient {
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
  /** Gives it back; with an error, the pool closes it instead of lending it again. */
  release(error?: Error): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * What the store needs of a pool: `Pool` of `pg` has it. Clients are borrowed, and not only the pool's `query` used, for
 * two reasons: it is then known whether a statement was sent when the time is up, and a client that a frozen server keeps
 * waiting can be given up.
 */
export interface PostgresPool {
  connect(): Promise<PostgresPoolClient>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'connect', listener: (client: PostgresPoolClient) => void): unknown;
}

/** How to reach the server directly: fields of `pg`'s `ClientConfig`, which may also have others. */
export interface PostgresConnection {
  readonly connectionString?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly database?: string | undefined;
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** As in `tls.connect`, or whether to use TLS at all. */
  readonly ssl?: boolean | object | undefined;
}
