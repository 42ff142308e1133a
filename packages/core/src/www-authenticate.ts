/** One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `dpop`, `basic`. */
  readonly scheme: string;
  /** The one value that some schemes carry instead of parameters (RFC 9110 section 11.2). */
  readonly token68?: string;
  /** By lower-case name, values unquoted. Has no prototype; where a name is repeated the first one counts. */
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * The challenges of a `WWW-Authenticate` header, in order.
 *
 * Several challenges may share one header, as `Headers.get` joins them. Takes linear time and never throws:
 * from the first malformed element on, the rest is dropped.
 */
export function parseChallenges(header: string): Challenge[] {
  const scanner = new Scanner(header);
  const challenges: Challenge[] = [];
  let parameters: Record<string, string> | undefined;
  while (scanner.skipListSeparators()) {
    let name = scanner.token();
    // A token is a parameter of the challenge before it when `=` follows, else it opens the next challenge.
    if (parameters === undefined || !scanner.equalsSign()) {
      if (name === undefined || !(scanner.skipWhitespace() || scanner.atElementEnd())) break;
      const scheme = name.toLowerCase();
      const token68 = scanner.token68();
      parameters = Object.create(null) as Record<string, string>;
      challenges.push(
        token68 === undefined ? { scheme, parameters } : { scheme, token68, parameters },
      );
      if (token68 !== undefined) parameters = undefined;
      if (parameters === undefined || scanner.atElementEnd()) continue;
      name = scanner.token();
      if (!scanner.equalsSign()) break;
    }
    const value = scanner.quotedString() ?? scanner.token();
    if (name === undefined || value === undefined || !scanner.atElementEnd()) break;
    const key = name.toLowerCase();
    if (!(key in parameters)) parameters[key] = value;
  }
  return challenges;
}

// Sticky and without alternatives, so that none of them can backtrack over the text again.
const tokenPattern = /[!#$%&'*+\-.^_`|~\w]+/y;
const token68Pattern = /[\w\-.~+/]+=*/y;
const whitespacePattern = /[ \t]+/y;
const separatorsPattern = /[ \t,]+/y;
const plainPattern = /[^"\\]+/y;

/** Reads the lexical elements of RFC 9110 section 5.6; what does not match leaves the position where it was. */
class Scanner {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Moves to the next list element; answers whether there is one. Empty elements are skipped. */
  skipListSeparators(): boolean {
    this.#match(separatorsPattern);
    return this.#position < this.#text.length;
  }

  skipWhitespace(): boolean {
    return this.#match(whitespacePattern) !== undefined;
  }

  /** Whether only whitespace stands between here and the next comma or the end. */
  atElementEnd(): boolean {
    this.skipWhitespace();
    return this.#position === this.#text.length || this.#text[this.#position] === ',';
  }

  token(): string | undefined {
    return this.#match(tokenPattern);
  }

  /** A token68 that is the whole rest of its element: `dGVzdA==`, and not the name in `realm="x"`. */
  token68(): string | undefined {
    const start = this.#position;
    const value = this.#match(token68Pattern);
    if (value !== undefined && this.atElementEnd()) return value;
    this.#position = start;
    return undefined;
  }

  /** `=` with the whitespace that section 5.6.3 tolerates around it. */
  equalsSign(): boolean {
    const start = this.#position;
    this.skipWhitespace();
    if (this.#text[this.#position] !== '=') {
      this.#position = start;
      return false;
    }
    this.#position += 1;
    this.skipWhitespace();
    return true;
  }

  /** The content of a quoted-string, quoted pairs resolved; `undefined` when there is none or it never ends. */
  quotedString(): string | undefined {
    if (this.#text[this.#position] !== '"') return undefined;
    this.#position += 1;
    const parts: string[] = [];
    for (;;) {
      parts.push(this.#match(plainPattern) ?? '');
      const delimiter = this.#text[this.#position];
      if (delimiter === undefined) return undefined;
      this.#position += 1;
      if (delimiter === '"') return parts.join('');
      parts.push(this.#text[this.#position] ?? '');
      this.#position += 1;
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#position += found.length;
    return found;
  }
}
