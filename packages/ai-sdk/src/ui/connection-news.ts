import type { ConnectionResult } from '@outlive/core';

/** What became of a connection: told by the page at the end of the connect flow to the pages that wait. */
export interface ConnectionNews {
  readonly provider: string;
  readonly status: ConnectionResult['status'];
}

const channelName = 'outlive-connection';

/**
 * Tells every window of this origin what became of a connection. Called by the page that the callback ends on.
 *
 * A broadcast, and not a message to `window.opener`: issuers may cut the tie to the opener
 * (Cross-Origin-Opener-Policy), and a chat may wait in another tab as well.
 */
export function announceConnection(news: ConnectionNews): void {
  const channel = new BroadcastChannel(channelName);
  channel.postMessage(news);
  channel.close();
}

/** Hears of connections that were made in other windows of this origin; call what it answers to stop. */
export function onConnection(listener: (news: ConnectionNews) => void): () => void {
  const channel = new BroadcastChannel(channelName);
  channel.onmessage = ({ data }: { readonly data: ConnectionNews }) => listener(data);
  return () => channel.close();
}
