import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { AuthError, type AuthErrorCode } from '../src/errors.ts';
import { opensPause } from '../src/refusal.ts';

/** The compiler keeps this complete: a code that is missing here, or does not exist, is an error. */
const codes: Record<AuthErrorCode, true> = {
  reauthorization_required: true,
  user_state: true,
  stopped_by_operator: true,
  step_up_required: true,
  insufficient_scope: true,
  rejected_after_refresh: true,
  misconfigured: true,
  issuer_refused: true,
  issuer_unavailable: true,
  in_doubt: true,
  store_unavailable: true,
  audit_unavailable: true,
  task_paused: true,
  task_ended: true,
  no_task: true,
  not_resumable: true,
  outcome_unknown: true,
  cancelled: true,
};

function documented(): string[] {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  return [...page.matchAll(/^\| `([a-z_]+)` +\|[^|]+\| `([a-z]+)` +\| (yes|no) +\|$/gm)].map(
    ([, code, recovery, pauses]) => `${code}: ${recovery}, ${pauses}`,
  );
}

it('lists every code of AuthError in docs/errors.md, with who can act and whether it pauses', () => {
  const known = (Object.keys(codes) as AuthErrorCode[]).map((code) => {
    const error = new AuthError(code);
    return `${code}: ${error.recovery}, ${opensPause(error) ? 'yes' : 'no'}`;
  });

  expect(documented().toSorted()).toEqual(known.toSorted());
});
