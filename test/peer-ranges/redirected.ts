/** What an import of one of these packages, or of a part of it, means instead; nothing for all others. */
export function redirected(
  packages: Readonly<Record<string, string>>,
  specifier: string,
): string | undefined {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const meant = Object.hasOwn(packages, name) ? packages[name] : undefined;
  return meant === undefined ? undefined : meant + specifier.slice(name.length);
}
