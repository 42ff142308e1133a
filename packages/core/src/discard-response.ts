/** Frees the connection of a response that nobody will read. */
export function discardResponse(response: Response): void {
  // Not awaited, and its failure not reported: then the connection is gone already, which is all that is wanted.
  response.body?.cancel().catch(() => undefined);
}
