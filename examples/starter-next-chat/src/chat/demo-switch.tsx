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
    <button type="button" className="demo" aria-pressed={isArmed} onClick={() => void arm()}>
      {isArmed ? 'Access ends mid-run' : 'Demo: end access mid-run'}
    </button>
  );
}
