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
