import type { GateContext, GateSource, OutliveOptions, Principal } from '@outlive/core';
import { createTestDirectory, type TestDirectory } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import {
  authzenSource,
  type EvaluationRequest,
  introspectionSource,
  scimSource,
} from '../src/index.ts';
import { alice, createWorld, reading } from './world.ts';

/** What a source says, or how it fails. */
async function ask(source: GateSource, withinMs = 10_000): Promise<unknown> {
  const context: GateContext = {
    moment: 'claim',
    signal: AbortSignal.timeout(withinMs),
    introspect: async () => 'none',
  };
  try {
    return await source.check(alice, context);
  } catch (error) {
    return Object(error).code;
  }
}

function answering(answer: () => Response): typeof fetch {
  return async () => answer();
}

/** What no source may take for an answer. */
const noAnswers: readonly [string, () => Response][] = [
  ['refused', () => new Response(null, { status: 401 })],
  ['refused', () => new Response(null, { status: 503 })],
  ['refused', () => Response.redirect('https://elsewhere.example', 302)],
  ['malformed', () => new Response('<html>', { status: 200 })],
  ['malformed', () => new Response('x'.repeat(100_000), { status: 200 })],
  ['malformed', () => Response.json({})],
  ['malformed', () => Response.json(null)],
  ['malformed', () => Response.json({ active: 'true', decision: 'true' })],
  ['malformed', () => Response.json({ active: 1, decision: 1 })],
];

const sources: readonly [
  string,
  (directory: TestDirectory, more?: { readonly fetch: typeof fetch }) => GateSource,
][] = [
  [
    'SCIM',
    ({ scimUrl, adminToken }, more) =>
      scimSource({ baseUrl: scimUrl, authorization: () => `Bearer ${adminToken}`, ...more }),
  ],
  [
    'AuthZEN',
    ({ url }, more) =>
      authzenSource({ endpoint: `${url}/access/v1/evaluation`, evaluation, ...more }),
  ],
  [
    'AuthZEN at an endpoint that is discovered',
    ({ url }, more) => authzenSource({ decisionPoint: url, evaluation, ...more }),
  ],
];

/** May an agent act for this person? */
function evaluation({ subject }: Principal): EvaluationRequest {
  return {
    subject: { type: 'user', id: subject },
    action: { name: 'delegate' },
    resource: { type: 'agent', id: 'billing' },
  };
}

describe.each(sources)('a source that asks by %s', (_name, create) => {
  it('says whether the person is active', async () => {
    await using directory = await createTestDirectory();
    const source = create(directory);
    directory.user('alice');
    expect(await ask(source)).toBe('active');
    directory.user('alice').active = false;
    expect(await ask(source)).toBe('paused');
  });

  it('fails when it gets no clear answer', async () => {
    await using directory = await createTestDirectory();
    directory.user('alice');
    for (const [code, answer] of noAnswers)
      expect(await ask(create(directory, { fetch: answering(answer) }))).toBe(code);
  });

  it('fails while the directory is away', async () => {
    await using directory = await createTestDirectory();
    directory.user('alice');
    const source = create(directory);
    for (const outage of ['refused', 'failing', 'silent'] as const) {
      directory.outage = outage;
      expect(await ask(source, 200)).toBe(outage === 'failing' ? 'refused' : 'unreachable');
    }
    directory.outage = undefined;
    expect(await ask(source)).toBe('active');
  });
});

describe('a SCIM source', () => {
  it('says what is to be said of those who are gone, and who are not active', async () => {
    await using directory = await createTestDirectory();
    const baseUrl = `${directory.scimUrl}/`;
    expect(await ask(scimSource({ baseUrl }))).toBe('revoked');
    expect(await ask(scimSource({ baseUrl, whenMissing: 'unknown' }))).toBe('unknown');
    directory.user('alice').active = false;
    expect(await ask(scimSource({ baseUrl, whenInactive: 'revoked' }))).toBe('revoked');
  });

  it('finds people by the id that the app knows, whatever is in it', async () => {
    await using directory = await createTestDirectory();
    directory.user('a/b?c').active = false;
    const source = scimSource({ baseUrl: directory.scimUrl, userId: () => 'a/b?c' });
    expect(await ask(source)).toBe('paused');
  });
});

describe('a decision point that says where it is asked', () => {
  /** Metadata of `pdp`, and an endpoint that permits everything where it says. */
  function decisionPoint(
    pdp: string,
    metadata: { readonly endpoint: string; readonly of?: string },
  ) {
    const asked: string[] = [];
    const source = authzenSource({
      decisionPoint: pdp,
      evaluation,
      authorization: 'Bearer pdp',
      async fetch(input, init) {
        const url = String(input);
        asked.push(`${url} ${new Headers(init?.headers).get('authorization')}`);
        if (url.includes('/.well-known/'))
          return Response.json({
            policy_decision_point: metadata.of ?? pdp,
            access_evaluation_endpoint: metadata.endpoint,
          });
        return url === metadata.endpoint
          ? Response.json({ decision: true })
          : new Response(null, { status: 404 });
      },
    });
    return { source, asked };
  }

  it('is asked for that once, between host and path and without credentials', async () => {
    const { source, asked } = decisionPoint('https://pdp.example/acme', {
      endpoint: 'https://pdp.example/acme/evaluate',
    });
    expect([await ask(source), await ask(source)]).toEqual(['active', 'active']);
    expect(asked).toEqual([
      'https://pdp.example/.well-known/authzen-configuration/acme null',
      'https://pdp.example/acme/evaluate Bearer pdp',
      'https://pdp.example/acme/evaluate Bearer pdp',
    ]);
  });

  it('is found again where it has moved', async () => {
    const metadata = { endpoint: 'https://pdp.example/v1' };
    const { source } = decisionPoint('https://pdp.example', metadata);
    expect(await ask(source)).toBe('active');
    metadata.endpoint = 'https://pdp.example/v2';
    expect(await ask(source)).toBe('refused');
    expect(await ask(source)).toBe('active');
  });

  it('is not believed when it speaks for another one, or names an endpoint that is not protected', async () => {
    const elsewhere = { endpoint: 'https://pdp.example/v1', of: 'https://other.example' };
    expect(await ask(decisionPoint('https://pdp.example', elsewhere).source)).toBe('malformed');
    const open = { endpoint: 'http://pdp.example/v1' };
    const { source, asked } = decisionPoint('https://pdp.example', open);
    expect(await ask(source)).toBe('malformed');
    expect(asked).toHaveLength(1);
  });
});

describe('an introspection source', () => {
  const gate = [introspectionSource({ provider: 'p' })];
  const quick: Partial<OutliveOptions> = { gate, policy: { revalidateMs: 1 } };

  it('says whether the issuer still honours the grant', async () => {
    await using world = await createWorld(quick);
    expect(await world.state()).toBe('active');
    expect(world.issuer.counters.introspections).toBeGreaterThan(0);
    const [refresh] = world.issuer.issuedTokens().filter(({ type }) => type === 'refresh_token');
    await fetch(`${world.issuer.url}/token/revocation`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
      body: new URLSearchParams({ token: refresh?.value ?? '' }),
    });
    await expect.poll(() => world.state()).toBe('revoked');
  });

  it('is not misled by a rotation under way', async () => {
    await using world = await createWorld(quick);
    world.issuer.options.latencyMs = 100;
    const rejected = { rejectedGeneration: 0 };
    const refreshing = world.task.getAccessToken(reading, rejected);
    const states = await Promise.all(Array.from({ length: 10 }, () => world.state()));
    expect(new Set(states)).toEqual(new Set(['active']));
    expect((await refreshing).generation).toBe(1);
  });

  it('is silent where the issuer cannot be asked', async () => {
    const context: GateContext = {
      moment: 'claim',
      signal: AbortSignal.timeout(10_000),
      introspect: async () => 'unknown',
    };
    await expect(gate[0]?.check(alice, context)).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('has nothing to say of those without a grant', async () => {
    expect(await ask(introspectionSource({ provider: 'p' }))).toBe('active');
  });
});

it('names every option of a source that is wrong', () => {
  expect(() => scimSource({ baseUrl: 'http://directory.example', x: 1 } as never)).toThrow(
    /baseUrl: .*\n.*x: is not an option/,
  );
  expect(() => authzenSource({ endpoint: 'https://pdp.example' } as never)).toThrow('evaluation: ');
  for (const where of [
    {},
    { endpoint: 'https://pdp.example', decisionPoint: 'https://pdp.example' },
  ])
    expect(() => authzenSource({ ...where, evaluation })).toThrow('decisionPoint: ');
  expect(() => introspectionSource({ provider: '' })).toThrow('provider: ');
  expect(() =>
    scimSource({ baseUrl: 'https://d.example', whenInactive: 'active' as never }),
  ).toThrow('whenInactive: ');
});
