import type { ClientBase, FieldDef, Submittable } from 'pg';

/*
 * Several statements to Postgres as one flush of the extended protocol: their messages, then one
 * Sync. To the server that is one transaction (nothing is sent to begin or to end it): when a
 * statement fails, the server skips the rest and rolls all of it back. So a statement that changes
 * the identity and the query that relies on it can never be separated, whatever fails in between,
 * and the connection is clean again at the ReadyForQuery that answers the Sync.
 *
 * node-postgres has a pipeline mode, which ends every statement with a Sync of its own: each would
 * be a transaction, and a query would run under the wrong identity if its settings failed.
 */

/** One statement of a flush. */
export interface FlushStatement {
  /**
   * Name of the prepared statement: a function of the text and of the role that runs it (a plan
   * made for one role is never used for another). Empty: parsed each time, for connections that a
   * pooler shares.
   */
  name: string;
  text: string;
  /** Texts, numbers, booleans, buffers and nulls; anything else is encoded by its codec before. */
  values: readonly unknown[];
  /** Rows as arrays instead of objects. */
  arrayMode?: boolean;
  /** The rows are not wanted: spares their description. */
  discard?: boolean;
}

/** The same with its values as they go over the wire. */
interface EncodedStatement extends FlushStatement {
  values: readonly (string | Buffer | null)[];
}

/** What a statement returned. */
export interface FlushResult {
  rows: unknown[];
  rowCount: number | null;
}

/** How many prepared statements a connection keeps; the least recently used one is closed. */
const PREPARED_MAX = 200;

/** The part of node-postgres's connection that a submittable writes to. */
interface Wire {
  stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  bind(message: {
    portal: string;
    statement: string;
    values: readonly (string | Buffer | null)[];
  }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: { portal: string }): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
  on(event: string, listener: () => void): void;
  once(event: string, listener: () => void): void;
  off(event: string, listener: () => void): void;
}

/** The prepared statements of a connection, least recently used first. */
interface Prepared {
  names: Set<string>;
  /** Sent to be parsed and not yet confirmed, in order. */
  parsing: string[];
}

const preparedByWire = new WeakMap<Wire, Prepared>();

/**
 * Sends the statements to the server at once and waits for the answer to all of them.
 *
 * @returns the result of each statement, in order.
 * @throws the server's error (a DatabaseError: everything was rolled back), or the error that ended
 * the connection (whether it committed is then unknown).
 */
export function flush(
  client: ClientBase,
  statements: readonly FlushStatement[],
): Promise<FlushResult[]> {
  return new Promise((resolve, reject) => {
    const encoded = statements.map((statement) => ({
      ...statement,
      values: statement.values.map(toWire),
    }));
    client.query(
      submittable(client, encoded, (error, results) => {
        if (error === null) resolve(results);
        else reject(error);
      }),
    );
  });
}

function submittable(
  client: ClientBase,
  statements: readonly EncodedStatement[],
  callback: (error: Error | null, results: FlushResult[]) => void,
): Submittable {
  const results = statements.map((): FlushResult => ({ rows: [], rowCount: null }));
  let current = 0;
  let readRow: (values: readonly (string | null)[]) => unknown = (values) => values;
  let rowError: Error | null = null;

  const submission = {
    // Looked up at each call: node-postgres wraps it to clear the timer of its query_timeout.
    callback,
    submit(connection: unknown) {
      write(connection as Wire, statements);
    },
    handleRowDescription(message: { fields: FieldDef[] }) {
      readRow = rowReader(client, message.fields, statements[current]?.arrayMode === true);
    },
    handleDataRow(message: { fields: (string | null)[] }) {
      if (statements[current]?.discard || rowError !== null) return;
      try {
        results[current]?.rows.push(readRow(message.fields));
      } catch (error) {
        // A value that its type parser refuses. The answer is read to its end all the same.
        rowError = error as Error;
      }
    },
    handleCommandComplete(message: { text: string }) {
      const count = /\d+$/.exec(message.text);
      const result = results[current];
      if (count !== null && result !== undefined) result.rowCount = Number(count[0]);
      current += 1;
    },
    handleEmptyQuery() {
      current += 1;
    },
    handleReadyForQuery() {
      submission.callback(rowError, results);
    },
    handleError(error: Error, connection: unknown) {
      const wire = connection as Wire;
      preparedOf(wire).parsing = [];
      if (!('severity' in error)) {
        submission.callback(error, results);
        return;
      }
      // Only ReadyForQuery tells that the transaction is over and the connection is clean.
      const settle = () => {
        wire.off('readyForQuery', settle);
        wire.off('end', settle);
        submission.callback(error, results);
      };
      wire.once('readyForQuery', settle);
      wire.once('end', settle);
    },
  };
  return submission;
}

function rowReader(
  client: ClientBase,
  fields: FieldDef[],
  arrayMode: boolean,
): (values: readonly (string | null)[]) => unknown {
  const parsers = fields.map((field) => client.getTypeParser(field.dataTypeID, 'text'));
  const parse = (value: string | null, index: number): unknown =>
    value === null ? null : parsers[index]?.(value);
  if (arrayMode) return (values) => values.map(parse);
  return (values) =>
    Object.fromEntries(fields.map((field, index) => [field.name, parse(values[index]!, index)]));
}

/** Writes all messages as one packet (as far as the network allows). */
function write(wire: Wire, statements: readonly EncodedStatement[]): void {
  const prepared = preparedOf(wire);
  wire.stream.cork();
  try {
    evict(wire, prepared, statements);
    for (const statement of statements) {
      const isPrepared =
        statement.name !== '' &&
        (prepared.names.has(statement.name) || prepared.parsing.includes(statement.name));
      if (!isPrepared) {
        wire.parse({ name: statement.name, text: statement.text });
        prepared.parsing.push(statement.name);
      }
      wire.bind({ portal: '', statement: statement.name, values: statement.values });
      if (!statement.discard) wire.describe({ type: 'P', name: '' });
      wire.execute({ portal: '' });
    }
  } finally {
    wire.sync();
    wire.stream.uncork();
  }
}

function toWire(value: unknown): string | Buffer | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value);
  }
  throw new TypeError(`A ${typeof value} cannot be sent to Postgres as it is`);
}

/**
 * Marks the statements as used now and closes those that are too many. The Close messages come
 * first in the flush: behind a statement that fails, the server would skip them.
 */
function evict(wire: Wire, prepared: Prepared, statements: readonly FlushStatement[]): void {
  for (const { name } of statements) {
    if (prepared.names.delete(name)) prepared.names.add(name);
  }
  for (const name of prepared.names) {
    if (prepared.names.size <= PREPARED_MAX) break;
    wire.close({ type: 'S', name });
    prepared.names.delete(name);
  }
}

/** The prepared statements of a connection, kept true by the server's ParseComplete messages. */
function preparedOf(wire: Wire): Prepared {
  const known = preparedByWire.get(wire);
  if (known !== undefined) return known;
  const prepared: Prepared = { names: new Set(), parsing: [] };
  wire.on('parseComplete', () => {
    const name = prepared.parsing.shift();
    if (name) prepared.names.add(name);
  });
  preparedByWire.set(wire, prepared);
  return prepared;
}
