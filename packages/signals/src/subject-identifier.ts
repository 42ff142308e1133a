import type { DirectorySubject } from '@outlive/core';
import { SetError } from './set-error.ts';

type Identifier = Readonly<Record<string, unknown>>;

/** The member of each format that holds the name (RFC 9493 section 3, SSF 1.0 section 3.4). */
const nameOf: Readonly<Record<string, string>> = {
  account: 'uri',
  did: 'url',
  email: 'email',
  iss_sub: 'sub',
  jwt_id: 'jti',
  opaque: 'id',
  phone_number: 'phone_number',
  saml_assertion_id: 'assertion_id',
  uri: 'uri',
};

/** The member that says whose name it is; for the others it is the directory that speaks. */
const ownerOf: Readonly<Record<string, string>> = {
  iss_sub: 'iss',
  jwt_id: 'iss',
  saml_assertion_id: 'issuer',
};

/** The parts of a complex subject that may stand for somebody where it names no user. */
const otherParts = ['session', 'device', 'tenant', 'group', 'application', 'org_unit'] as const;

/**
 * The names in a subject identifier (RFC 9493), also in a complex one, where `directory` is who speaks. Use it to
 * make the links that events will be matched with, too: both must write a name in the same way.
 *
 * Of a complex subject the user and the session count; its device, tenant or group only where it names neither. The
 * format of a name that is not the user's is the part: `session`, `tenant`.
 *
 * @throws {SetError} `invalid_request` when it is not an identifier.
 */
export function directorySubjects(identifier: unknown, directory: string): DirectorySubject[] {
  const subject = asObject(identifier, 'the subject');
  const format = subject['format'] ?? legacyFormat(subject);
  if (format !== 'complex') return simpleSubjects(subject, format, directory);
  const { user, session } = subject;
  const part = (name: string): DirectorySubject[] =>
    simpleSubjects(asObject(subject[name], name), undefined, directory).map((named) => ({
      ...named,
      format: name,
    }));
  if (user !== undefined)
    return [
      ...simpleSubjects(asObject(user, 'user'), undefined, directory),
      ...(session === undefined ? [] : part('session')),
    ];
  const present = otherParts.filter((name) => subject[name] !== undefined);
  const first = present[0];
  if (first === undefined) throw wrong('a complex subject names nobody');
  return first === 'session' ? part('session') : present.flatMap(part);
}

function simpleSubjects(
  subject: Identifier,
  known: unknown,
  directory: string,
): DirectorySubject[] {
  const format = known ?? subject['format'];
  if (typeof format !== 'string' || format === '') throw wrong('a subject has no format');
  if (format === 'aliases') return aliasesOf(subject, directory);
  if (format === 'complex') throw wrong('a complex subject is nested');
  const member = Object.hasOwn(nameOf, format) ? nameOf[format] : undefined;
  // A format that nobody here knows is still a name: it can be linked, and is kept where it is not.
  if (member === undefined) return [{ directory, format, id: JSON.stringify(subject) }];
  const owner = Object.hasOwn(ownerOf, format) ? ownerOf[format] : undefined;
  const id = textOf(subject, member, format);
  return [
    {
      directory: owner === undefined ? directory : textOf(subject, owner, format),
      format,
      // Addresses are compared without regard to case nearly everywhere; a name must have one spelling.
      id: format === 'email' ? id.toLowerCase() : id,
    },
  ];
}

function aliasesOf(subject: Identifier, directory: string): DirectorySubject[] {
  const { identifiers } = subject;
  if (!Array.isArray(identifiers) || identifiers.length === 0)
    throw wrong('aliases have no identifiers');
  return identifiers.flatMap((one) => {
    const alias = asObject(one, 'an alias');
    if (alias['format'] === 'aliases') throw wrong('aliases are nested');
    return simpleSubjects(alias, undefined, directory);
  });
}

/** What RISC sent before RFC 9493 was final, and Google still does: `subject_type: 'iss-sub'`. */
function legacyFormat(subject: Identifier): unknown {
  const type = subject['subject_type'];
  return typeof type === 'string' ? type.replaceAll('-', '_') : type;
}

function asObject(value: unknown, what: string): Identifier {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(`${what} is not an object`);
  return value as Identifier;
}

function textOf(subject: Identifier, member: string, format: string): string {
  const value = subject[member];
  if (typeof value !== 'string' || value === '')
    throw wrong(`a subject of format ${format} has no ${member}`);
  return value;
}

function wrong(problem: string): SetError {
  return new SetError('invalid_request', problem);
}
