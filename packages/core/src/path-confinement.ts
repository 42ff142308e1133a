/** More layers of percent-encoding than any honest path has. */
const maxLayers = 8;

/**
 * Whether a request for `path` stays under `prefix`, also for a server that decodes it more often, merges
 * slashes, takes `\` for `/` or drops `;parameters` before it resolves dot segments.
 *
 * `path` is the `pathname` of a parsed URL, in which plain dot segments and backslashes are resolved already.
 * A `..` that is still there was hidden from the parser, so it is refused wherever it would lead to.
 *
 * @param prefix a path that ends in `/`; `/` confines nothing. The prefix without its slash counts as inside.
 */
export function isPathWithin(prefix: string, path: string): boolean {
  if (prefix === '/') return true;
  if (!path.startsWith(prefix) && path !== prefix.slice(0, -1)) return false;
  return !hidesParentSegment(path);
}

function hidesParentSegment(path: string): boolean {
  let decoded = path;
  for (let layer = 0; layer < maxLayers; layer += 1) {
    const next = decoded.replace(/%[0-7][\da-f]/gi, (octet) =>
      String.fromCharCode(Number.parseInt(octet.slice(1), 16)),
    );
    if (next === decoded) return /(?:^|[/\\])\.\.(?:[/\\;?#]|$)/.test(decoded);
    decoded = next;
  }
  return true;
}
