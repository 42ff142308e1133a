'use client';

import { type KeyboardEvent, type SubmitEvent, useRef } from 'react';

interface ComposerProps {
  readonly isBusy: boolean;
  send(text: string): void;
}

/** Where a person types. */
export function Composer({ isBusy, send }: ComposerProps) {
  const form = useRef<HTMLFormElement>(null);

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get('text')).trim();
    if (text === '' || isBusy) return;
    event.currentTarget.reset();
    send(text);
  }

  function sendOnEnter(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    form.current?.requestSubmit();
  }

  return (
    <form ref={form} className="composer" onSubmit={submit}>
      <textarea
        name="text"
        rows={1}
        placeholder="Ask about your tickets"
        aria-label="Message"
        onKeyDown={sendOnEnter}
      />
      <button type="submit" className="primary" disabled={isBusy}>
        Send
      </button>
    </form>
  );
}
