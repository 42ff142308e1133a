import { text } from 'node:stream/consumers';
import type { Middleware } from './token-endpoint.ts';

/** A user of the test issuer. A disabled one can neither sign in nor refresh; grants are kept meanwhile. */
export interface TestUser {
  readonly subject: string;
  active: boolean;
}

/** The users of one issuer. */
export interface TestUsers {
  /** Creates the user at first mention, active. */
  user(subject: string): TestUser;
  find(subject: string): TestUser | undefined;
  isActive(subject: string): boolean;
}

/** Starts without users. */
export function createTestUsers(): TestUsers {
  const users = new Map<string, TestUser>();
  return {
    user(subject) {
      const user = users.get(subject) ?? { subject, active: true };
      users.set(subject, user);
      return user;
    },
    find: (subject) => users.get(subject),
    isActive: (subject) => users.get(subject)?.active === true,
  };
}

const userPath = '/scim/v2/Users/';
const scimError = 'urn:ietf:params:scim:api:messages:2.0:Error';
const scimUser = 'urn:ietf:params:scim:schemas:core:2.0:User';

/** SCIM 2.0 (RFC 7643, RFC 7644) as far as a user's `active` goes: anybody may read, the admin token may write. */
export function scimUsers(users: TestUsers, adminToken: string): Middleware {
  return async (context, next) => {
    if (!context.path.startsWith(userPath)) return next();

    const answer = (status: number, body: object): void => {
      context.status = status;
      context.body = JSON.stringify(body);
      context.type = 'application/scim+json';
    };
    const refuse = (status: number, detail: string): void =>
      answer(status, { schemas: [scimError], status: String(status), detail });

    if (context.method === 'PATCH' && context.get('authorization') !== `Bearer ${adminToken}`) {
      return refuse(401, 'the admin token is missing or wrong');
    }
    const subject = decodeURIComponent(context.path.slice(userPath.length));
    const user = users.find(subject);
    if (!user) return refuse(404, `there is no user '${subject}'`);

    if (context.method === 'PATCH') {
      const active = activeOf(await text(context.req));
      if (active === undefined) {
        return refuse(400, 'expected a PatchOp that replaces `active` by a boolean');
      }
      user.active = active;
    } else if (context.method !== 'GET') {
      return refuse(405, 'only GET and PATCH are supported');
    }
    return answer(200, {
      schemas: [scimUser],
      id: subject,
      userName: subject,
      active: user.active,
      meta: { resourceType: 'User' },
    });
  };
}

/** The value that a PatchOp (RFC 7644 section 3.5.2) gives `active`, in either of its two spellings. */
function activeOf(body: string): boolean | undefined {
  const operations = parse(body)?.Operations;
  if (!Array.isArray(operations)) return undefined;
  for (const { op, path, value } of operations) {
    if (String(op).toLowerCase() !== 'replace') continue;
    const active = path === 'active' ? value : path === undefined ? value?.active : undefined;
    if (typeof active === 'boolean') return active;
  }
  return undefined;
}

function parse(body: string): { Operations?: unknown } | undefined {
  try {
    return JSON.parse(body) ?? undefined;
  } catch {
    // Broken JSON is a bad request like any other: the caller answers 400.
    return undefined;
  }
}
