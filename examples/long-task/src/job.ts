/** What can be done with a ticket. */
export type Action = 'read' | 'tag' | 'reply';

/** The two queues; a worker process works through each. */
export const queues = ['billing', 'shipping'] as const;

/** One of the two queues. */
export type Queue = (typeof queues)[number];

/** One tool call. */
export interface Call {
  readonly action: Action;
  readonly ticket: string;
}

/** One turn of the model: tool calls that are made in parallel. */
export interface Step {
  readonly queue: Queue;
  readonly calls: readonly Call[];
}

const ticketsInStep = 10;
const roundsInQueue = 10;
const repliesInRound = 4;

/** What a queue asks for: ten rounds of reading ten tickets at once, then tagging six and answering four of them at once. */
export function stepsOf(queue: Queue): readonly Step[] {
  return Array.from({ length: roundsInQueue }, (_, round) => {
    const tickets = Array.from({ length: ticketsInStep }, (_, index) =>
      ticketName(queue, round * ticketsInStep + index + 1),
    );
    const reads = tickets.map((ticket): Call => ({ action: 'read', ticket }));
    const writes = tickets.map(
      (ticket, index): Call => ({ action: index < repliesInRound ? 'reply' : 'tag', ticket }),
    );
    return [
      { queue, calls: reads },
      { queue, calls: writes },
    ];
  }).flat();
}

/** The whole job: forty steps of ten calls. */
export const job: readonly Step[] = queues.flatMap(stepsOf);

function ticketName(queue: Queue, number: number): string {
  return `${queue.slice(0, 1).toUpperCase()}-${String(number).padStart(3, '0')}`;
}
