import { expect, it } from 'vitest';
import { installedVersion, lowestVersions, peerVersions, versionIn } from './peer-versions.ts';

it('what the peer range of ai begins with in each major is tested, and so is the newest of each', () => {
  const versions = peerVersions.filter(({ adapter }) => adapter === 'ai-sdk');
  const tested = [...versions.map(({ version }) => version), installedVersion('ai-sdk', 'ai')];
  const [lowest6 = '', lowest7 = '', ...more] = lowestVersions('ai-sdk', 'ai');
  expect(more).toEqual([]);
  expect(tested).toEqual([
    lowest6,
    expect.stringMatching(/^6\./),
    lowest7,
    expect.stringMatching(/^7\./),
  ]);
});

it.each(['@langchain/core', '@langchain/langgraph', 'langchain'])(
  'what the peer range of %s begins with is tested',
  (name) => {
    const from = peerVersions.find(({ adapter }) => adapter === 'langchain')?.from;
    expect(lowestVersions('langchain', name)).toEqual([from && versionIn(from, name)]);
  },
);
