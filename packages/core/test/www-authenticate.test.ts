import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Challenge, parseChallenges } from '../src/www-authenticate.ts';

/** Challenges as plain data, so that they compare by content. */
function parsed(header: string): unknown[] {
  return parseChallenges(header).map((challenge) => ({
    ...challenge,
    parameters: Object.entries(challenge.parameters),
  }));
}

describe('parseChallenges reads', () => {
  it('a Bearer challenge with quoted and plain values', () => {
    expect(parsed('Bearer realm="api", error=invalid_token, max_age="5"')).toEqual([
      {
        scheme: 'bearer',
        parameters: [
          ['realm', 'api'],
          ['error', 'invalid_token'],
          ['max_age', '5'],
        ],
      },
    ]);
  });

  it('several challenges in one header, each with its own parameters', () => {
    expect(
      parsed('Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"'),
    ).toEqual([
      {
        scheme: 'newauth',
        parameters: [
          ['realm', 'apps'],
          ['type', '1'],
          ['title', 'Login to "apps"'],
        ],
      },
      { scheme: 'basic', parameters: [['realm', 'simple']] },
    ]);
  });

  it('schemes without anything, with a token68 and with parameters side by side', () => {
    expect(parsed('Negotiate, NTLM dGVzdA==, Bearer error="invalid_token", Basic')).toEqual([
      { scheme: 'negotiate', parameters: [] },
      { scheme: 'ntlm', token68: 'dGVzdA==', parameters: [] },
      { scheme: 'bearer', parameters: [['error', 'invalid_token']] },
      { scheme: 'basic', parameters: [] },
    ]);
  });

  it('empty list elements, and whitespace around the equals sign and the commas', () => {
    expect(parsed(' , ,Bearer ,realm = "a" ,\t, error\t=\t"b",,')).toEqual([
      {
        scheme: 'bearer',
        parameters: [
          ['realm', 'a'],
          ['error', 'b'],
        ],
      },
    ]);
  });

  it('commas, equals signs and schemes inside a quoted value as text', () => {
    expect(parsed('Bearer realm="x, Basic realm=y", error="a=b"')).toEqual([
      {
        scheme: 'bearer',
        parameters: [
          ['realm', 'x, Basic realm=y'],
          ['error', 'a=b'],
        ],
      },
    ]);
  });

  it('names in any case, and the first of a repeated one', () => {
    expect(parsed('BEARER Error="first", ERROR="second"')).toEqual([
      { scheme: 'bearer', parameters: [['error', 'first']] },
    ]);
  });

  it('names of Object.prototype as plain names', () => {
    const [challenge] = parseChallenges('Bearer __proto__="polluted", constructor="c", toString=t');
    expect(Object.entries(challenge?.parameters ?? {})).toEqual([
      ['__proto__', 'polluted'],
      ['constructor', 'c'],
      ['tostring', 't'],
    ]);
    expect(Object.getPrototypeOf(challenge?.parameters)).toBeNull();
    expect('polluted' in {}).toBe(false);
  });
});

describe('parseChallenges drops the malformed rest:', () => {
  const bearer = { scheme: 'bearer', parameters: [['error', 'invalid_token']] };

  it.each([
    ['an unterminated quoted string', 'Bearer error="invalid_token", realm="open'],
    ['a quoted pair at the very end', 'Bearer error="invalid_token", realm="open\\'],
    ['a missing comma', 'Bearer error="invalid_token", realm="a" scope="b"'],
    ['a missing value', 'Bearer error="invalid_token", realm='],
    ['a name that is no token', 'Bearer error="invalid_token", "realm"="a", scope=b'],
    ['text after a quoted value', 'Bearer error="invalid_token", realm="a"b, scope=c'],
    ['a scheme that no space follows', 'Bearer error="invalid_token", Basic@realm="a"'],
  ])('%s', (_what, header) => {
    expect(parsed(header)).toEqual([bearer]);
  });

  it('parameters after a token68, which go with no challenge', () => {
    expect(parsed('NTLM dGVzdA==, realm="a", Bearer')).toEqual([
      { scheme: 'ntlm', token68: 'dGVzdA==', parameters: [] },
    ]);
  });

  it.each(['', ' ', ',', '=', '"', '\\', '="x"', '= , Bearer'])('all of %j', (header) => {
    expect(parsed(header)).toEqual([]);
  });
});

const tokenCharacter = fc.constantFrom(
  ..."!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
);
const token = fc.oneof(
  fc.string({ unit: tokenCharacter, minLength: 1, maxLength: 12 }),
  fc.constantFrom('__proto__', 'constructor', 'hasOwnProperty', 'error', 'scope'),
);
const whitespace = fc.constantFrom('', ' ', '\t', '  ');
const separator = fc.constantFrom(',', ', ', ' , ', ',,', '\t, ,');
const token68 = fc
  .tuple(fc.stringMatching(/^[A-Za-z0-9\-._~+/]{1,12}$/), fc.constantFrom('', '=', '=='))
  .map((parts) => parts.join(''));

/** How one parameter is written, beside what it means. */
const parameter = fc
  .tuple(token, fc.string(), whitespace, whitespace, fc.boolean())
  .map(([name, value, before, after, plain]) => ({
    name: name.toLowerCase(),
    value,
    text: `${name}${before}=${after}${
      plain && /^[!#$%&'*+\-.^_`|~\w]+$/.test(value)
        ? value
        : `"${value.replace(/["\\]/g, (character) => `\\${character}`)}"`
    }`,
  }));

const challenge = fc.oneof(
  fc.tuple(token, token68).map(([scheme, value]) => ({
    text: `${scheme} ${value}`,
    meaning: { scheme: scheme.toLowerCase(), token68: value, parameters: [] },
  })),
  fc
    .tuple(
      token,
      fc.uniqueArray(parameter, { selector: ({ name }) => name, maxLength: 4 }),
      separator,
    )
    .map(([scheme, parameters, between]) => ({
      text: [scheme, parameters.map(({ text }) => text).join(between)].filter(Boolean).join(' '),
      meaning: {
        scheme: scheme.toLowerCase(),
        parameters: parameters.map(({ name, value }) => [name, value]),
      },
    })),
);

describe('parseChallenges, for any input,', () => {
  it('reads back what a serialiser wrote', () => {
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), separator, (challenges, between) => {
        const header = challenges.map(({ text }) => text).join(between);
        const byName = ([left]: readonly string[], [right]: readonly string[]): number =>
          (left ?? '') < (right ?? '') ? -1 : 1;
        // Entries come in the order of the object, which is not the order of the text for names such as "1".
        const sorted = (
          list: readonly { parameters: readonly (readonly string[])[] }[],
        ): unknown[] =>
          list.map((item) => ({ ...item, parameters: [...item.parameters].sort(byName) }));
        const found = parseChallenges(header).map((item: Challenge) => ({
          ...item,
          parameters: Object.entries(item.parameters),
        }));
        expect(sorted(found)).toEqual(sorted(challenges.map(({ meaning }) => meaning)));
      }),
      { numRuns: 1000 },
    );
  });

  it('never throws, and says nothing that is not in the header', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('"', '\\', ',', '=', ' ', '\t', 'a', 'B', '\0', 'é') }),
    );
    fc.assert(
      fc.property(hostile, (header) => {
        for (const { scheme, parameters } of parseChallenges(header)) {
          expect(header.toLowerCase()).toContain(scheme);
          for (const name of Object.keys(parameters)) expect(header.toLowerCase()).toContain(name);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['quotes', '"'],
    ['backslashes in a quoted string', 'Bearer a="', '\\'],
    ['equals signs', 'Bearer ', '='],
    ['a long token68 that is none', 'Bearer ', 'a', '"'],
    ['commas', ','],
    ['whitespace before nothing', 'Bearer a', ' ', '"'],
    ['schemes', 'a, '],
    ['parameters', 'Bearer a=b, ', 'a=b, '],
    ['unfinished schemes', 'Bearer ', 'a ', '='],
    ['quoted pairs', 'Bearer a="', '\\"', '"'],
  ])('reads a megabyte of %s', (_what, ...parts) => {
    const [start = '', middle = start, end = ''] = parts;
    const header = start + middle.repeat(1_000_000 / middle.length) + end;
    expect(parseChallenges(header).length).toBeLessThanOrEqual(1_000_000);
  });
});
