import { describe, expect, it } from 'vitest';
import { dueFromText, dueText } from '../src/keyspace.ts';

describe('the due text', () => {
  const times = [
    Number.NEGATIVE_INFINITY,
    -Number.MAX_SAFE_INTEGER,
    -1,
    -0.5,
    0,
    Number.MIN_VALUE,
    0.5,
    1,
    499,
    1_767_225_600_000,
    1_767_225_600_000.5,
    Number.MAX_SAFE_INTEGER,
    Number.POSITIVE_INFINITY,
  ];

  it('sorts as the times do, and what is never due comes last', () => {
    const texts = [...times, undefined].map(dueText);
    expect([...texts].sort()).toEqual(texts);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('gives each time back', () => {
    for (const time of times) expect(dueFromText(dueText(time))).toBe(time);
    expect(dueText(-0)).toBe(dueText(0));
    expect(dueFromText(dueText(undefined))).toBeUndefined();
  });
});
