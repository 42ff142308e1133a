/** A tool call as a person would say it. */
export function callWords(toolName: string, input: unknown): string {
  if (toolName === 'listTickets') return 'List the tickets';
  const id = typeof input === 'object' && input !== null && 'id' in input ? ` ${input.id}` : '';
  return toolName === 'closeTicket' ? `Close${id}` : toolName;
}
