import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite';

/** LangGraph's SQLite saver on Node's own SQLite: its own needs an addon that is compiled on installation. */
export function sqliteSaver(path: string): SqliteSaver & AsyncDisposable {
  const database = new DatabaseSync(path, { timeout: 5000 });
  const betterSqlite = {
    exec: (sql: string) => database.exec(sql),
    pragma: (text: string) => database.prepare(`PRAGMA ${text}`).all(),
    prepare: (sql: string) => {
      const statement = database.prepare(sql);
      return {
        get: (...args: (SQLInputValue | undefined)[]) => statement.get(...bindable(args)),
        all: (...args: (SQLInputValue | undefined)[]) => statement.all(...bindable(args)),
        run: (...args: (SQLInputValue | undefined)[]) => statement.run(...bindable(args)),
      };
    },
    transaction:
      <Args extends unknown[]>(work: (...args: Args) => void) =>
      (...args: Args) => {
        database.exec('BEGIN IMMEDIATE');
        try {
          work(...args);
          database.exec('COMMIT');
        } catch (error) {
          database.exec('ROLLBACK');
          throw error;
        }
      },
  };
  const saver = new SqliteSaver(betterSqlite as never);
  return Object.assign(saver, {
    async [Symbol.asyncDispose]() {
      database.close();
    },
  });
}

/** The addon takes arrays of values, and writes NULL for `undefined`. */
function bindable(args: readonly (SQLInputValue | undefined)[]): SQLInputValue[] {
  return args.flat().map((value) => value ?? null);
}
