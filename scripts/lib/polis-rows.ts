/*
 * The rows of a Polis export as values: each field checked, each fault with its place.
 *
 * Signs and columns are those of the published exports: 1 agrees, −1 disagrees, 0 passes;
 * `timestamp` counts and `datetime` is for people; what else a file has is ignored.
 */
import { createHash } from 'node:crypto';
import { type CsvHeader, type CsvRow, readCsvRows, readHeader } from './polis-csv.ts';
import { PolisFormatError, shown } from './polis-error.ts';
import type { PolisFile } from './polis-source.ts';

/** What `summary.csv` says of the conversation. */
export interface PolisSummary {
  /** Names the conversation for good: its address on the Polis server, without scheme. */
  externalId: string;
  topic: string;
  description: string;
  /** Numbers of the export itself, to compare with; null where it does not say. */
  voters: number | null;
  comments: number | null;
}

export interface PolisStatement {
  id: number;
  author: number;
  /** Milliseconds since 1970. */
  createdAt: number;
  hidden: boolean;
  seed: boolean;
  content: string;
  line: number;
}

export interface PolisVote {
  statement: number;
  voter: number;
  choice: 'agree' | 'disagree' | 'pass';
  /** Milliseconds since 1970. */
  castAt: number;
  line: number;
}

/** A row of `participants-votes.csv`, reduced to how many statements the participant voted on. */
export interface PolisParticipant {
  id: number;
  votes: number;
  line: number;
}

/** As in the check constraints of app_public.conversation. */
const MAX_TOPIC_CHARACTERS = 300;
const MAX_DESCRIPTION_CHARACTERS = 20_000;

export interface ReadOptions {
  onBytes?: (bytes: number) => void;
}

const CHOICES = new Map<string, PolisVote['choice']>([
  ['1', 'agree'],
  ['-1', 'disagree'],
  ['0', 'pass'],
]);

/** Reads `summary.csv`: a name and a value in each row. */
export async function readSummary(file: PolisFile, options?: ReadOptions): Promise<PolisSummary> {
  const values = new Map<string, CsvRow>();
  for await (const row of readCsvRows(file, options)) {
    const [name = ''] = row.fields;
    if (row.fields.length !== 2) {
      throw new PolisFormatError(
        { file: file.name, line: row.line, column: Math.min(row.fields.length, 2) + 1 },
        `the row has ${row.fields.length} fields; a summary has a name and a value in each row`,
      );
    }
    if (values.has(name)) {
      throw new PolisFormatError(
        { file: file.name, line: row.line, column: 1 },
        `${shown(name)} is there twice`,
      );
    }
    values.set(name, row);
  }
  const value = (name: string) => values.get(name)?.fields[1]?.trim() ?? '';
  const required = (name: string): void => {
    const row = values.get(name);
    if (row === undefined) {
      throw new PolisFormatError({ file: file.name }, `the row "${name}" is missing`);
    }
    if (value(name) === '') {
      throw new PolisFormatError(
        { file: file.name, line: row.line, column: 2 },
        `the value of "${name}" is empty`,
      );
    }
  };
  const number = (name: string): number | null => {
    const row = values.get(name);
    if (row === undefined || value(name) === '') return null;
    return integer(value(name), 0, 2 ** 31 - 1, () => ({
      file: file.name,
      line: row.line,
      column: 2,
      columnName: name,
    }));
  };
  required('topic');
  const topic = value('topic');
  required('url');
  const externalId = conversationId(value('url'));
  if (externalId === null) {
    throw new PolisFormatError(
      { file: file.name, line: values.get('url')?.line, column: 2, columnName: 'url' },
      `${shown(value('url'))} is not the address of a conversation (https://…/…)`,
    );
  }
  const description = value('conversation-description');
  for (const [name, text, limit] of [
    ['topic', topic, MAX_TOPIC_CHARACTERS],
    ['conversation-description', description, MAX_DESCRIPTION_CHARACTERS],
  ] as const) {
    if ([...text].length > limit) {
      throw new PolisFormatError(
        { file: file.name, line: values.get(name)?.line, column: 2, columnName: name },
        `the text is longer than ${limit} characters`,
      );
    }
  }
  return {
    externalId,
    topic,
    description,
    voters: number('voters'),
    comments: number('comments'),
  };
}

/** "polis:pol.is/2demo" for https://pol.is/2demo, null for what is no address. */
function conversationId(url: string): string | null {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return null;
  const { host, pathname } = new URL(url);
  const path = pathname.replace(/\/+$/, '');
  if (path === '') return null;
  const id = `polis:${host}${path}`;
  // An id longer than an index entry may be keeps its beginning for the reader.
  return id.length <= 200
    ? id
    : `${id.slice(0, 120)}#${createHash('sha256').update(id).digest('hex')}`;
}

/** Reads `comments.csv`, the statements, in the file's order. Refuses an id that comes twice. */
export async function* readStatements(
  file: PolisFile,
  options?: ReadOptions & { maxCharacters?: number },
): AsyncGenerator<PolisStatement> {
  const rows = readCsvRows(file, options);
  const header = await headerOf(file, rows, [
    'timestamp',
    'comment-id',
    'author-id',
    'moderated',
    'comment-body',
  ]);
  const [timestamp, id, author] = ['timestamp', 'comment-id', 'author-id'].map(header.at) as Place3;
  const moderated = header.at('moderated');
  const body = header.at('comment-body');
  const seed = header.find('is-seed');
  const lines = new Map<number, number>();
  for await (const row of rows) {
    const field = fieldsOf(file, header, row);
    const statement: PolisStatement = {
      id: field.id(id),
      author: field.id(author),
      createdAt: field.time(timestamp),
      hidden: field.oneOf(moderated, ['-1', '0', '1']) === '-1',
      seed: seed >= 0 && ['1', 't', 'true'].includes(field.oneOf(seed, FLAGS)),
      content: field.text(body, options?.maxCharacters),
      line: row.line,
    };
    const earlier = lines.get(statement.id);
    if (earlier !== undefined) {
      throw field.fault(id, `the statement ${statement.id} is on line ${earlier} already`);
    }
    lines.set(statement.id, row.line);
    yield statement;
  }
}

const FLAGS = ['', '0', '1', 'f', 't', 'false', 'true'];

/**
 * Reads `votes.csv` in the file's order, every row of it: of several votes of one participant on one
 * statement the one with the latest time counts, of equally late ones the last.
 */
export async function* readVotes(
  file: PolisFile,
  statements: ReadonlySet<number>,
  options?: ReadOptions,
): AsyncGenerator<PolisVote> {
  const rows = readCsvRows(file, options);
  const header = await headerOf(file, rows, ['timestamp', 'comment-id', 'voter-id', 'vote']);
  const [timestamp, statement, voter] = ['timestamp', 'comment-id', 'voter-id'].map(
    header.at,
  ) as Place3;
  const vote = header.at('vote');
  for await (const row of rows) {
    const field = fieldsOf(file, header, row);
    const statementId = field.id(statement);
    if (!statements.has(statementId)) {
      throw field.fault(statement, `the statement ${statementId} is not in comments.csv`);
    }
    const choice = CHOICES.get(field.raw(vote));
    if (choice === undefined) {
      throw field.fault(
        vote,
        `${shown(field.raw(vote))} is not a vote: 1 agrees, -1 disagrees, 0 passes`,
      );
    }
    yield {
      statement: statementId,
      voter: field.id(voter),
      choice,
      castAt: field.time(timestamp),
      line: row.line,
    };
  }
}

const PARTICIPANT_COLUMNS = [
  'participant',
  'group-id',
  'n-comments',
  'n-votes',
  'n-agree',
  'n-disagree',
];

/** Reads `participants-votes.csv`: after its six columns one for each statement with a vote. */
export async function* readParticipants(
  file: PolisFile,
  statements: ReadonlySet<number>,
  options?: ReadOptions,
): AsyncGenerator<PolisParticipant> {
  const rows = readCsvRows(file, options);
  const header = await headerOf(file, rows, PARTICIPANT_COLUMNS);
  const [participant, group, ...numbers] = PARTICIPANT_COLUMNS.map(header.at);
  const cells: number[] = [];
  for (const [index, name] of header.names.entries()) {
    if (PARTICIPANT_COLUMNS.includes(name)) continue;
    if (!/^\d+$/.test(name)) continue;
    if (!statements.has(Number(name))) {
      throw new PolisFormatError(
        { file: file.name, line: 1, column: index + 1 },
        `the statement ${name} is not in comments.csv`,
      );
    }
    cells.push(index);
  }
  const lines = new Map<number, number>();
  for await (const row of rows) {
    const field = fieldsOf(file, header, row);
    const id = field.id(participant as number);
    const earlier = lines.get(id);
    if (earlier !== undefined) {
      throw field.fault(participant as number, `participant ${id} is on line ${earlier} already`);
    }
    lines.set(id, row.line);
    if (field.raw(group as number) !== '') field.id(group as number);
    for (const column of numbers) field.id(column);
    let votes = 0;
    for (const cell of cells) {
      const value = row.fields[cell] as string;
      if (value === '') continue;
      if (!CHOICES.has(value)) {
        throw field.fault(cell, `${shown(value)} is not a vote: 1, -1, 0 or nothing`);
      }
      votes += 1;
    }
    yield { id, votes, line: row.line };
  }
}

type Place3 = [number, number, number];

async function headerOf(
  file: PolisFile,
  rows: AsyncGenerator<CsvRow>,
  required: string[],
): Promise<CsvHeader> {
  const first = await rows.next();
  return readHeader(file.name, first.done ? undefined : first.value, required);
}

/** Latest time that a timestamp of milliseconds may have: the end of the year 9999. */
const LAST_MILLISECOND = 253_402_300_799_999;

/** Checked access to the fields of a row by position. */
function fieldsOf(file: PolisFile, header: CsvHeader, row: CsvRow) {
  const place = (index: number) => ({
    file: file.name,
    line: row.line,
    column: index + 1,
    columnName: header.names[index],
  });
  // Rows are as wide as the header: csv-parse has seen to it.
  const raw = (index: number): string => row.fields[index] as string;
  const fault = (index: number, problem: string) => new PolisFormatError(place(index), problem);
  return {
    raw,
    fault,
    id: (index: number) => integer(raw(index), 0, 2 ** 31 - 1, () => place(index)),
    /** Milliseconds; newer exports give seconds, told apart by size (10^11 is 1973 or 5138). */
    time(index: number): number {
      const value = integer(raw(index), 0, LAST_MILLISECOND, () => place(index));
      return value < 1e11 ? value * 1000 : value;
    },
    oneOf(index: number, allowed: string[]): string {
      const value = raw(index);
      if (allowed.includes(value)) return value;
      throw fault(
        index,
        `${shown(value)} is none of ${allowed.filter((v) => v !== '').join(', ')}`,
      );
    },
    text(index: number, maxCharacters = Number.POSITIVE_INFINITY): string {
      const value = raw(index).trim();
      if (value === '') throw fault(index, 'the text is empty');
      // Postgres counts characters, JavaScript the halves of those beyond the first plane.
      if (value.length > maxCharacters && [...value].length > maxCharacters) {
        throw fault(index, `the text is longer than ${maxCharacters} characters`);
      }
      return value;
    },
  };
}

function integer(
  value: string,
  lowest: number,
  highest: number,
  place: () => ConstructorParameters<typeof PolisFormatError>[0],
): number {
  if (!/^\d{1,15}$/.test(value)) {
    throw new PolisFormatError(place(), `${shown(value)} is not a whole number`);
  }
  const number = Number(value);
  if (number < lowest || number > highest) {
    throw new PolisFormatError(place(), `${value} is not between ${lowest} and ${highest}`);
  }
  return number;
}
