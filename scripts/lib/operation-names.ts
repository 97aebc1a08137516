/*
 * The names under which requests are measured. Clients choose them, so there is a bound: a name gets
 * a place while there is one, and one that was not used for a while gives its place up. Whoever sends
 * made-up names fills what is free and pushes out nobody who is there.
 */

/** A request without a name of its own. */
export const UNNAMED = '(unnamed)';
/** Requests whose name found no place. */
export const OTHER = '(other)';

const NAME = /^[_A-Za-z][_0-9A-Za-z]{0,99}$/;

export interface OperationNamesOptions {
  /** Names at the same time. Default 100. */
  places?: number;
  /** Milliseconds without use after which a place is given up. Default 10 minutes. */
  idle?: number;
  /** Called with a name that has given its place up. */
  onLeft?: (name: string) => void;
  /** Milliseconds. Default: the process's clock. */
  now?: () => number;
}

/** The label of an operation's name. */
export function makeOperationNames({
  places = 100,
  idle = 600_000,
  onLeft,
  now = () => performance.now(),
}: OperationNamesOptions = {}): (name: string | null | undefined) => string {
  /** When each was last used; the least recently used one first. */
  const used = new Map<string, number>();
  return (name) => {
    if (name === null || name === undefined || name === '') return UNNAMED;
    const time = now();
    if (used.delete(name)) {
      used.set(name, time);
      return name;
    }
    if (!NAME.test(name)) return OTHER;
    if (used.size >= places) {
      const [oldest, last] = used.entries().next().value ?? ['', time];
      if (time - last < idle) return OTHER;
      used.delete(oldest);
      onLeft?.(oldest);
    }
    used.set(name, time);
    return name;
  };
}

/** The name of the operation that a document runs: the one asked for, or the first one's. */
export function operationName(query: unknown, asked: unknown): string | null {
  if (typeof asked === 'string' && asked !== '') return asked;
  if (typeof query !== 'string') return null;
  // Comments may come first; a name stands behind the kind of the operation.
  const text = query.slice(0, 2_000).replace(/#[^\n\r]*/g, '');
  return /^[\s,\uFEFF]*(?:query|mutation|subscription)\s+([_A-Za-z]\w*)/.exec(text)?.[1] ?? null;
}
