'use client';

import { useState } from 'react';

/** Lets a person see what happens when the issuer ends the app's access while the agent works. */
export function DemoSwitch() {
  const [isArmed, setArmed] = useState(false);

  async function arm(): Promise<void> {
    const response = await fetch('/api/demo', { method: 'POST' });
    setArmed(response.ok);
  }

  return (
    <button
      type="button"
      className="demo"
      title="A demo: the issuer ends the app's access in the middle of the next run"
      aria-pressed={isArmed}
      onClick={() => void arm()}
    >
      {isArmed ? 'Access ends mid-run' : 'End access mid-run'}
    </button>
  );
}
