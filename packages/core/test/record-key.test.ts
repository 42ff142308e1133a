import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../src/errors.ts';
import { recordKey } from '../src/record-key.ts';
import type { RecordKind } from '../src/store.ts';

const kinds: readonly RecordKind[] = [
  'grant',
  'subject',
  'task',
  'ended-task',
  'pause',
  'delegation',
  'call',
];
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  // Texts made of what a key is made of, where a careless encoding would collide.
  fc.string({ unit: fc.constantFrom('|', ':', '0', '1', '7') }),
);
const input = fc.tuple(
  fc.constantFrom(...kinds),
  fc.option(
    text.filter((tenant) => tenant !== ''),
    { nil: undefined },
  ),
  fc.array(text, { maxLength: 4 }),
);

describe('the key of a record', () => {
  it('reads as kind, tenant and parts, each with its length', () => {
    expect(recordKey('grant', 'acme', 'okta', 'a|b')).toBe('grant|4:acme|4:okta|3:a|b');
  });

  it('writes the default tenant out, so that it is the same with and without saying so', () => {
    expect(recordKey('task', undefined, 't1')).toBe('task|7:default|2:t1');
    expect(recordKey('task', 'default', 't1')).toBe(recordKey('task', undefined, 't1'));
  });

  it('is different whenever anything in it is different', () => {
    fc.assert(
      fc.property(input, input, ([kind, tenant, parts], [otherKind, otherTenant, otherParts]) => {
        const same =
          JSON.stringify([kind, tenant ?? 'default', parts]) ===
          JSON.stringify([otherKind, otherTenant ?? 'default', otherParts]);
        const equal =
          recordKey(kind, tenant, ...parts) === recordKey(otherKind, otherTenant, ...otherParts);
        expect(equal).toBe(same);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on where a text is cut into parts', () => {
    fc.assert(
      fc.property(text, text, fc.nat(), (left, right, cut) => {
        const joined = left + right;
        const at = cut % (joined.length + 1);
        const parts = [joined.slice(0, at), joined.slice(at)] as const;
        fc.pre(parts.every((part) => part.isWellFormed()) && parts[0] !== left);
        expect(recordKey('grant', 't', ...parts)).not.toBe(recordKey('grant', 't', left, right));
      }),
    );
  });

  it('refuses an empty tenant and half a surrogate pair, and names which', () => {
    expect(() => recordKey('task', '')).toThrow(/^tenant: expected a name/);
    expect(() => recordKey('task', '\ud800')).toThrow(/^tenant: expected well-formed/);
    expect(() => recordKey('task', undefined, 'fine', '\ud800')).toThrow(
      expect.objectContaining({ paths: ['parts.1'] }),
    );
    expect(() => recordKey('task', '')).toThrow(ConfigurationError);
  });
});
