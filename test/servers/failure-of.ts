/** What `promise` was rejected with, as far as a StoreError shows it. */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<{ readonly code: unknown; readonly message: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return { code: Reflect.get(error, 'code'), message: error.message };
    throw error;
  }
  throw new Error('it did not fail');
}
