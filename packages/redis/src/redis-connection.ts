/** One command, its name first. */
export type Command = readonly string[];

/** What became of one command: its reply, or the error that came instead. */
export type Outcome =
  | { readonly reply: unknown; readonly error?: undefined }
  | { readonly error: unknown };

/**
 * One connection, from its opening to its loss. It sends each command at most once: a command whose reply does not come
 * has an error for an outcome, and whoever wants it done again has to say so.
 */
export interface RedisConnection {
  /** Settles when the connection is open, or cannot be opened. */
  readonly ready: Promise<void>;
  /** Whether it is open and not lost. */
  readonly isUsable: boolean;
  /** What went wrong last while it was opened. */
  readonly lastError: unknown;
  /** Sends the commands, in order. */
  send(commands: readonly Command[]): Promise<readonly Outcome[]>;
  /** As `send`, and all of them to one server over one socket, also in a cluster. */
  sendTogether(commands: readonly Command[]): Promise<readonly Outcome[]>;
  /** Gives it up at once; what has no reply yet fails. May be called at any time, and twice. */
  destroy(): void;
}

/** One connection for subscriptions. */
export interface RedisSubscriber {
  readonly ready: Promise<void>;
  /** Resolves once the server has confirmed. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  destroy(): void;
}

/** What a subscriber tells. */
export interface SubscriberEvents {
  readonly message: (channel: string) => void;
  /** The connection is gone; it does not come back by itself. */
  readonly lost: () => void;
}

/** Makes connections to where the user's client connects to. */
export interface RedisConnector {
  open(): RedisConnection;
  openSubscriber(events: SubscriberEvents): RedisSubscriber;
}

/** The outcomes of promises that were all begun already. */
export async function outcomesOf(
  promises: readonly Promise<unknown>[],
): Promise<readonly Outcome[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((result) =>
    result.status === 'fulfilled' ? { reply: result.value } : { error: result.reason },
  );
}

/** The reply, or the error that came instead. */
export function replyOf(outcome: Outcome | undefined): unknown {
  if (outcome === undefined) throw new Error('the client gave no outcome');
  if ('reply' in outcome) return outcome.reply;
  throw outcome.error;
}

/** The reply to one command. */
export async function replyTo(connection: RedisConnection, command: Command): Promise<unknown> {
  const [outcome] = await connection.send([command]);
  return replyOf(outcome);
}
