import assert from 'node:assert/strict';
import { it } from 'vitest';
import { matrixTable, runMatrix, writtenTable } from './langchain-matrix.ts';

it('behind a gate exactly the refused call runs again, in every set-up, as the guide says', async () => {
  const cells = await runMatrix();
  const gated = cells.filter(({ setup }) => !setup.includes('without'));
  assert.equal(gated.length, 50);
  for (const cell of gated) assert.equal(cell.outcome, 'payInvoice', JSON.stringify(cell));
  assert.equal(matrixTable(cells), writtenTable());
}, 600_000);
