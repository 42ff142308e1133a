import { text } from 'node:stream/consumers';
import type { TestUsers } from './issuer-users.ts';
import type { Middleware } from './token-endpoint.ts';

const userPath = '/scim/v2/Users/';
const scimError = 'urn:ietf:params:scim:api:messages:2.0:Error';
const scimUser = 'urn:ietf:params:scim:schemas:core:2.0:User';

/** A request as far as SCIM looks at it. */
export interface ScimRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly body: () => Promise<string>;
}

/** What a SCIM request is answered. */
export interface ScimAnswer {
  readonly status: number;
  readonly body: object;
}

/** The media type of SCIM (RFC 7644 section 3.1). */
export const scimMediaType = 'application/scim+json';

/** The users of the test issuer by SCIM. */
export function scimUsers(users: TestUsers, adminToken: string): Middleware {
  return async (context, next) => {
    const answer = await answerScim(users, adminToken, {
      method: context.method,
      path: context.path,
      authorization: context.get('authorization'),
      body: () => text(context.req),
    });
    if (answer === undefined) return next();
    context.status = answer.status;
    context.body = JSON.stringify(answer.body);
    context.type = scimMediaType;
  };
}

/**
 * SCIM 2.0 (RFC 7643, RFC 7644) as far as a user's `active` goes: anybody may read, the admin token may write.
 * Nothing for a request to another path.
 */
export async function answerScim(
  users: TestUsers,
  adminToken: string,
  request: ScimRequest,
): Promise<ScimAnswer | undefined> {
  if (!request.path.startsWith(userPath)) return undefined;
  const refuse = (status: number, detail: string): ScimAnswer => ({
    status,
    body: { schemas: [scimError], status: String(status), detail },
  });
  if (request.method === 'PATCH' && request.authorization !== `Bearer ${adminToken}`)
    return refuse(401, 'the admin token is missing or wrong');
  const subject = decodeURIComponent(request.path.slice(userPath.length));
  const user = users.find(subject);
  if (!user) return refuse(404, `there is no user '${subject}'`);

  if (request.method === 'PATCH') {
    const active = activeOf(await request.body());
    if (active === undefined)
      return refuse(400, 'expected a PatchOp that replaces `active` by a boolean');
    user.active = active;
  } else if (request.method !== 'GET') {
    return refuse(405, 'only GET and PATCH are supported');
  }
  return {
    status: 200,
    body: {
      schemas: [scimUser],
      id: subject,
      userName: subject,
      active: user.active,
      meta: { resourceType: 'User' },
    },
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
