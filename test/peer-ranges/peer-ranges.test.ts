import { expect, it } from 'vitest';
import { installedVersion, lowestVersions, peerVersions } from './peer-versions.ts';

it('what the peer range of ai begins with in each major is tested, and so is the newest of each', () => {
  const tested = [...peerVersions.map(({ version }) => version), installedVersion('ai-sdk', 'ai')];
  const [lowest6 = '', lowest7 = '', ...more] = lowestVersions('ai-sdk', 'ai');
  expect(more).toEqual([]);
  expect(tested).toEqual([
    lowest6,
    expect.stringMatching(/^6\./),
    lowest7,
    expect.stringMatching(/^7\./),
  ]);
});
