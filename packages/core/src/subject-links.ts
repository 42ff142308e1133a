import { type DirectorySubject, directorySubjectId } from './directory-subject.ts';
import type { Principal } from './principal.ts';
import { recordKey } from './record-key.ts';
import type { Runtime } from './runtime.ts';

/** Which principals a directory's subject stands for. */
interface LinkRecord {
  readonly subject: DirectorySubject;
  readonly principals: readonly Principal[];
}

/** The principals that were linked to a directory's subject. */
export async function linkedPrincipals(
  runtime: Runtime,
  subject: DirectorySubject,
): Promise<readonly Principal[]> {
  const found = await runtime.records.get<LinkRecord>(await linkKey(runtime, subject));
  return found?.value.principals ?? [];
}

/** Adds a principal to a directory's subject, or takes it away. Doing it again changes nothing. */
export async function changeLink(
  runtime: Runtime,
  subject: DirectorySubject,
  principal: Principal,
  change: 'link' | 'unlink',
): Promise<void> {
  const { records } = runtime;
  const key = await linkKey(runtime, subject);
  for (;;) {
    const found = await records.get<LinkRecord>(key);
    const others = (found?.value.principals ?? []).filter((known) => !isSame(known, principal));
    const principals = change === 'link' ? [...others, principal] : others;
    const version = found?.version ?? (await records.version(key));
    const value: LinkRecord = { subject, principals };
    if (await records.swap(key, version, value, { kind: 'link' })) return;
  }
}

function isSame(one: Principal, other: Principal): boolean {
  return (
    one.subject === other.subject && one.issuer === other.issuer && one.tenant === other.tenant
  );
}

async function linkKey(runtime: Runtime, subject: DirectorySubject): Promise<string> {
  return recordKey('link', undefined, await directorySubjectId(runtime.keyedHash, subject));
}
