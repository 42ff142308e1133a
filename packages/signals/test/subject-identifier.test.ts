import { expect, it } from 'vitest';
import { directorySubjects } from '../src/index.ts';

const directory = 'https://idp.example';
const issSub = { format: 'iss_sub', iss: directory, sub: 's' };
const named = (format: string, id: string, owner = directory) => ({ directory: owner, format, id });

it.each([
  [issSub, [named('iss_sub', 's')]],
  [{ ...issSub, iss: 'https://other.example' }, [named('iss_sub', 's', 'https://other.example')]],
  [{ format: 'email', email: 'Ann@Example.COM' }, [named('email', 'ann@example.com')]],
  [{ format: 'opaque', id: 'o' }, [named('opaque', 'o')]],
  [{ format: 'account', uri: 'acct:a@b.example' }, [named('account', 'acct:a@b.example')]],
  [
    { format: 'phone_number', phone_number: '+12065550100' },
    [named('phone_number', '+12065550100')],
  ],
  [{ format: 'did', url: 'did:example:1' }, [named('did', 'did:example:1')]],
  [{ format: 'uri', uri: 'urn:x' }, [named('uri', 'urn:x')]],
  [{ format: 'jwt_id', iss: directory, jti: 'j' }, [named('jwt_id', 'j')]],
  [
    { format: 'saml_assertion_id', issuer: directory, assertion_id: 'a' },
    [named('saml_assertion_id', 'a')],
  ],
  [
    { format: 'aliases', identifiers: [issSub, { format: 'email', email: 'a@b.example' }] },
    [named('iss_sub', 's'), named('email', 'a@b.example')],
  ],
  [{ format: 'x-badge', badge: 7 }, [named('x-badge', '{"format":"x-badge","badge":7}')]],
  [
    { format: 'complex', user: issSub, session: { format: 'opaque', id: 'sid' } },
    [named('iss_sub', 's'), named('session', 'sid')],
  ],
  [{ format: 'complex', session: { format: 'opaque', id: 'sid' } }, [named('session', 'sid')]],
  [
    // The whole tenant is not meant where one of its users is named.
    { format: 'complex', user: issSub, tenant: { format: 'opaque', id: 't' } },
    [named('iss_sub', 's')],
  ],
  [{ format: 'complex', tenant: { format: 'opaque', id: 't' } }, [named('tenant', 't')]],
  [{ subject_type: 'iss-sub', iss: directory, sub: 's' }, [named('iss_sub', 's')]],
])('reads the names in %j', (identifier, subjects) => {
  expect(directorySubjects(identifier, directory)).toEqual(subjects);
});
