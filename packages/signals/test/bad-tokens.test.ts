import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BadInput, badInputs } from './bad-inputs.ts';
import { createWorld, pushCredentials, sessionRevoked, type World } from './world.ts';

describe('a bad input', () => {
  let world: World;
  let endpoint: string;

  beforeAll(async () => {
    world = await createWorld();
    const { delivery } = await world.stream();
    endpoint = delivery.endpoint_url;
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function send(input: BadInput): Promise<Response> {
    const { transmitter } = world;
    const claims = {
      ...transmitter.claims(sessionRevoked(transmitter)),
      ...input.claims?.(transmitter),
    };
    const good = await transmitter.sign(claims, input.token ? undefined : await input.signing?.());
    return fetch(endpoint, {
      method: input.method ?? 'POST',
      headers: {
        'content-type': 'application/secevent+jwt',
        authorization: pushCredentials,
        ...input.headers,
      },
      body: (await input.token?.(good, claims)) ?? good,
    });
  }

  it.each(badInputs)('$name is refused with $error, and changes nothing', async (input) => {
    const before = await world.records();
    const response = await send(input);
    const body = (await response.json()) as { err?: string; description?: string };
    expect([response.status, body.err]).toEqual([400, input.error]);
    expect(body.description).toEqual(expect.any(String));
    expect(response.headers.get('content-language')).toBe('en');
    expect(await world.records()).toEqual(before);
    expect(await world.state()).toBe('active');
  });

  it('is told from a good one: that takes effect', async () => {
    const response = await send({ name: 'good', error: '' });
    expect([response.status, await response.text()]).toEqual([202, '']);
    expect(await world.state()).toBe('paused');
  });
});
