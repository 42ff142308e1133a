import { describe, expect, it } from 'vitest';
import { createOutlive, memoryStore } from '../src/index.ts';

describe('a configuration error', () => {
  it('repeats no secret of what it refuses', async () => {
    const secret = 'fJ3kP0sSecretValue9';
    const minimal = {
      store: memoryStore(),
      providers: { p: { issuer: 'https://issuer.example', clientId: 'a' } },
      resources: { api: { provider: 'p', baseUrl: 'https://api.example', scopes: [] } },
      gate: () => 'active' as const,
    };
    const attempts: (() => unknown)[] = [
      () =>
        createOutlive({
          ...minimal,
          keys: { current: 'k', ring: { k: secret as never }, hash: new Uint8Array(32) },
        }),
      () => createOutlive({ ...minimal, keys: { current: 'k', ring: {}, hash: secret as never } }),
      () =>
        createOutlive({
          ...minimal,
          providers: { p: { issuer: `https://u:${secret}@issuer.example`, clientId: 'a' } },
        }),
      () =>
        createOutlive({
          ...minimal,
          providers: { p: { issuer: `https://issuer.example?k=${secret}`, clientId: 'a' } },
        }),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
        throw new Error('no error');
      } catch (error) {
        expect(String(error)).not.toContain(secret);
      }
    }
    const outlive = createOutlive({ ...minimal, policy: { maintainMs: 0 } });
    await expect(
      outlive.connect.callback({ url: `/callback?code=${secret}&state=x`, session: 's' }),
    ).rejects.toSatisfy((e) => !String(e).includes(secret));
    await expect(
      outlive.connect.callback({ url: `https://a.example/`, session: 5 as never }),
    ).rejects.toThrow();
    await outlive.close();
  });
});
