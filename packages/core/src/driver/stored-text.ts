/**
 * Refuses texts that a store of UTF-8 would change: a lone surrogate silently becomes another character, and two keys
 * become one.
 *
 * @param texts what is to be stored, by the names that the error should use.
 * @throws {TypeError} naming the text.
 */
export function assertWellFormed(texts: Readonly<Record<string, string | null | undefined>>): void {
  for (const [name, text] of Object.entries(texts))
    if (text?.isWellFormed() === false)
      throw new TypeError(`${name} must be well-formed Unicode; it has a lone surrogate`);
}
