import { describe, expect, it } from 'vitest';
import { parseTokenResponse } from '../src/token-response.ts';

describe('a journaled body', () => {
  it('is read as the response was', () => {
    const tokens = parseTokenResponse(
      '{"access_token":"a","refresh_token":"r","token_type":"Bearer","expires_in":"60","scope":"x y"}',
    );
    expect(tokens).toMatchObject({ tokenType: 'bearer', expiresInMs: 60_000, scopes: ['x', 'y'] });
    expect(tokens?.refreshToken?.reveal()).toBe('r');
  });

  it.each([
    ['{"access_token":"a","refresh_token":null,"scope":"","expires_in":-1}'],
    ['{"access_token":"a","expires_in":"soon","scope":7}'],
  ])('says nothing that the issuer did not say: %s', (body) => {
    expect(Object.keys(parseTokenResponse(body) ?? {})).toEqual(['accessToken', 'tokenType']);
  });

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"access_token":""}',
    '{"access_token":"a","refresh_token":""}',
    '{"access_',
  ])('is refused without a good pair: %s', (body) => {
    expect(parseTokenResponse(body)).toBeUndefined();
  });
});
