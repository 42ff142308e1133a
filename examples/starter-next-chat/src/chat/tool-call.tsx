import { type DynamicToolUIPart, getToolName, type ToolUIPart } from 'ai';
import { callWords } from './call-words.ts';

type Part = ToolUIPart | DynamicToolUIPart;

const words: Record<Part['state'], string> = {
  'input-streaming': 'begins',
  'input-available': 'runs',
  'approval-requested': 'waits',
  'approval-responded': 'goes on',
  'output-available': 'done',
  'output-error': 'failed',
  'output-denied': 'left',
};

/** One call of a tool, and how it stands. */
export function ToolCall({ part }: { readonly part: Part }) {
  return (
    <div className="call" data-state={part.state}>
      <span className="mark" aria-hidden="true" />
      <span>{callWords(getToolName(part), part.input)}</span>
      <span className="state">{words[part.state]}</span>
    </div>
  );
}
