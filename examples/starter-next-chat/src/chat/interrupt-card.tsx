import type { AuthInterrupt, InterruptAnswer } from '@outlive/ai-sdk/ui';

interface InterruptCardProps {
  readonly interrupt: AuthInterrupt;
  /** Whether it still waits for an answer; else it says what became of it. */
  readonly isWaiting: boolean;
  readonly note: string | undefined;
  onConnect(): void;
  onAnswer(answer: InterruptAnswer): void;
}

/** Why the agent waits, and what a person can do about it. */
export function InterruptCard({
  interrupt,
  isWaiting,
  note,
  onConnect,
  onAnswer,
}: InterruptCardProps) {
  if (!isWaiting) return <p className="answered">{answeredWords(interrupt)}</p>;
  const { title, text } = cardWords(interrupt);
  return (
    <section className="card" aria-label={title}>
      <h2>{title}</h2>
      <p>{text}</p>
      {note && <p className="note">{note}</p>}
      <div className="actions">
        {interrupt.recovery === 'user' ? (
          <button type="button" className="primary" onClick={onConnect}>
            {interrupt.pauseId === undefined ? 'Connect account' : 'Connect again'}
          </button>
        ) : (
          <button type="button" className="primary" onClick={() => onAnswer('resume')}>
            Try again
          </button>
        )}
        <button type="button" onClick={() => onAnswer('decline')}>
          {interrupt.pauseId === undefined ? 'Not now' : 'Leave it'}
        </button>
      </div>
    </section>
  );
}

function cardWords({ pauseId, recovery, calls, requires, confirmed }: AuthInterrupt): {
  readonly title: string;
  readonly text: string;
} {
  if (pauseId === undefined && recovery !== 'user')
    return {
      title: 'Not possible at the moment',
      text: 'Your account cannot be used right now, so nothing was started.',
    };
  if (pauseId === undefined)
    return {
      title: 'Connect your support desk',
      text: 'I act in your name, so I need your consent first. Then I go on with what you asked.',
    };
  const waits = waitingWords(calls.length);
  if (recovery === 'user')
    return {
      title: 'Paused: the access has ended',
      text: `${waits}. Connect again and only that is repeated. What is done stays done.`,
    };
  const missing = requires.filter((role) => !confirmed.includes(role));
  if (missing.length > 0)
    return {
      title: 'Paused: somebody has to confirm',
      text: `${waits} for: ${missing.join(', ')}.`,
    };
  return { title: 'Paused', text: `${waits}. The cause may have passed already.` };
}

function waitingWords(calls: number): string {
  // A task that was stopped between two calls waits as a whole.
  if (calls === 0) return 'The work waits';
  return calls === 1 ? 'One step waits' : `${calls} steps wait`;
}

function answeredWords({ answer, pauseId, recovery }: AuthInterrupt): string {
  switch (answer) {
    case 'resume':
      if (recovery !== 'user') return 'Tried again';
      return pauseId === undefined ? 'Account connected' : 'Connected again';
    case 'decline':
      return 'Left undone, as you wished';
    default:
      return 'You went on without answering';
  }
}
