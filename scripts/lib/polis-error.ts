/** Where in an export a fault lies: the file, and if known its line and column, both from 1. */
export interface PolisPlace {
  file: string;
  line?: number;
  /** The field's number in its row, from 1. */
  column?: number;
  /** The field's name in the header. */
  columnName?: string;
}

/**
 * An export that cannot be imported as it stands. The message begins with the place, so that it can
 * be printed as it is; the parts are there for programs.
 */
export class PolisFormatError extends Error {
  readonly place: PolisPlace;
  readonly problem: string;

  constructor(place: PolisPlace, problem: string, options?: ErrorOptions) {
    super(`${describePlace(place)}: ${problem}`, options);
    this.name = 'PolisFormatError';
    this.place = place;
    this.problem = problem;
  }

  /** For a person: nothing but the message, no stack. */
  format(): string {
    return this.message;
  }
}

/** "votes.csv, line 7, column 5 (vote)", as much of it as is known. */
export function describePlace({ file, line, column, columnName }: PolisPlace): string {
  const parts = [file];
  if (line !== undefined) parts.push(`line ${line}`);
  if (column !== undefined) {
    parts.push(columnName === undefined ? `column ${column}` : `column ${column} (${columnName})`);
  }
  return parts.join(', ');
}

/** A value as it may be shown in a message: quoted, escaped, cut. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
