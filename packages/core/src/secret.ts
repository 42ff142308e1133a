const hidden = '[secret]';

/**
 * A value that never prints: not in string conversion, JSON, `console.log`, a debugger's preview or a
 * structured clone. Only `reveal()` gives it back, so every place that handles a plain token is found by
 * searching for that word.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The plain value. Call it where the value leaves the process, and nowhere else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  get [Symbol.toStringTag](): string {
    return 'Secret';
  }
}

// What Node's `util.inspect` shows. Assigned, since the declaration of a class cannot name a registered symbol.
Object.defineProperty(Secret.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value: () => hidden,
});
