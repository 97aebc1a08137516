/*
 * Made-up Polis exports for the tests, and an independent reading of any export: a CSV reader and a
 * count of its own, sharing nothing with the importer.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { create as createTar } from 'tar';
import { expect } from 'vitest';

export interface Statement {
  id: number;
  author: number;
  at: number;
  moderated: -1 | 0 | 1;
  text: string;
}

export interface VoteRow {
  statement: number;
  voter: number;
  vote: -1 | 0 | 1;
  at: number;
}

export interface Export {
  url: string;
  topic: string;
  description: string;
  statements: Statement[];
  votes: VoteRow[];
}

const T0 = Date.UTC(2024, 2, 1, 9);

/** A small conversation with everything that is odd in real ones; another name, another conversation. */
export function smallExport(name = 'small'): Export {
  const statement = (id: number, author: number, moderated: -1 | 0 | 1, text: string) => ({
    id,
    author,
    at: T0 + id * 60_000,
    moderated,
    text,
  });
  const vote = (statement: number, voter: number, choice: -1 | 0 | 1, minutes: number) => ({
    statement,
    voter,
    vote: choice,
    at: T0 + 3_600_000 + minutes * 60_000,
  });
  return {
    url: `https://polis.example/${name}`,
    topic: 'Bikes, "buses" and boots',
    description: 'One line.\n\nAnother, with a comma.\\.',
    statements: [
      statement(0, 0, 1, 'Plain'),
      statement(1, 0, 1, 'With "quotes", commas\nand two lines\r\nof which one ends as on Windows'),
      statement(2, 1, -1, 'Rejected'),
      statement(3, 2, 0, 'Not looked at: tab\there, backslash \\N and \\.'),
      statement(4, 7, 1, 'Its author never voted. 世界 🌍'),
      statement(9, 3, -1, 'Rejected, and nobody voted'),
    ],
    // Sorted by statement and voter, as Polis does: the latest vote need not come last.
    votes: [
      vote(0, 0, 1, 0),
      vote(0, 1, -1, 9),
      vote(0, 1, 1, 3),
      vote(0, 2, 0, 1),
      vote(1, 0, 1, 0),
      vote(1, 3, -1, 5),
      // As late as the one before: the later row counts.
      vote(1, 3, 0, 5),
      vote(2, 1, 1, 0),
      vote(2, 2, -1, 2),
      // Votes on a rejected statement only.
      vote(2, 4, -1, 4),
      vote(3, 2, 1, 0),
      vote(4, 3, -1, 6),
      vote(4, 0, 0, 7),
    ],
  };
}

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export type Files = Record<string, string | Buffer>;

/** The files of an export as Polis writes them. */
export function filesOf({ url, topic, description, statements, votes }: Export): Files {
  const final = latest(votes);
  const voters = [...new Set(votes.map(({ voter }) => voter))].sort((a, b) => a - b);
  const columns = [...new Set(votes.map((vote) => vote.statement))].sort((a, b) => a - b);
  const counted = (id: number, value: number) =>
    votes.filter((it) => it.statement === id && it.vote === value).length;
  const lines = (rows: (string | number)[][]) => rows.map((row) => `${row.join(',')}\n`).join('');
  return {
    'summary.csv': lines([
      ['topic', quoted(topic)],
      ['url', url],
      ['views', 40],
      ['voters', voters.length],
      ['voters-in-conv', voters.length],
      ['commenters', new Set(statements.map(({ author }) => author)).size],
      ['comments', statements.length],
      ['groups', 2],
      ['conversation-description', quoted(description)],
    ]),
    'comments.csv': lines([
      [
        'timestamp',
        'datetime',
        'comment-id',
        'author-id',
        'agrees',
        'disagrees',
        'moderated',
        'comment-body',
      ],
      ...[...statements]
        .reverse()
        .map(({ id, author, at, moderated, text }) => [
          at,
          'Fri Mar 01 10:00:00 CET 2024',
          id,
          author,
          counted(id, 1),
          counted(id, -1),
          moderated,
          quoted(text),
        ]),
    ]),
    'votes.csv': lines([
      ['timestamp', 'datetime', 'comment-id', 'voter-id', 'vote'],
      ...votes.map((it) => [
        it.at,
        'Fri Mar 01 10:00:00 CET 2024',
        it.statement,
        it.voter,
        it.vote,
      ]),
    ]),
    'participants-votes.csv': lines([
      ['participant', 'group-id', 'n-comments', 'n-votes', 'n-agree', 'n-disagree', ...columns],
      ...voters.map((voter) => {
        const cells = columns.map((id) => final.get(`${id}/${voter}`)?.vote ?? '');
        return [
          voter,
          voter % 3 === 2 ? '' : voter % 2,
          statements.filter(({ author }) => author === voter).length,
          cells.filter((cell) => cell !== '').length,
          cells.filter((cell) => cell === 1).length,
          cells.filter((cell) => cell === -1).length,
          ...cells,
        ];
      }),
    ]),
  };
}

/** Of several votes of one voter on one statement the latest; of equally late ones the last. */
function latest(votes: VoteRow[]): Map<string, VoteRow> {
  const final = new Map<string, VoteRow>();
  for (const vote of votes) {
    const key = `${vote.statement}/${vote.voter}`;
    const earlier = final.get(key);
    if (earlier === undefined || vote.at >= earlier.at) final.set(key, vote);
  }
  return final;
}

/** A folder that is removed with everything in it by `removeFolders`. */
export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-test-polis-'));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];

export async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}

/** Writes files into a new folder and returns its path. */
export async function writeFolder(files: Files): Promise<string> {
  const folder = await newFolder();
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

/** Packs files into a .tar.gz and returns its path. `prefix` is a folder inside the archive. */
export async function writeArchive(files: Files, prefix = ''): Promise<string> {
  const folder = await newFolder();
  const content = join(folder, 'content');
  await mkdir(join(content, prefix), { recursive: true });
  for (const [name, data] of Object.entries(files)) {
    await writeFile(join(content, prefix, name), data);
  }
  const file = join(folder, 'export.tar.gz');
  // Votes first: an archive may have its entries in any order.
  const names = Object.keys(files).sort().reverse();
  await createTar(
    { file, gzip: true, cwd: content, portable: true },
    names.map((name) => join(prefix, name)),
  );
  return file;
}

/** What the counters must be, statement by statement and for the conversation. */
export interface ExpectedCounters {
  opinions: Record<string, { agree: number; disagree: number; pass: number; hidden: boolean }>;
  conversation: Record<string, number>;
  participants: number;
  votes: number;
}

export const CONVERSATION_COUNTERS = [
  'opinion_count',
  'vote_count',
  'participant_count',
  'total_opinion_count',
  'total_vote_count',
  'total_participant_count',
  'moderated_opinion_count',
  'hidden_opinion_count',
];

/** Counts an export as the counting rules say, from its statements and votes. */
export function countsOf(statements: Statement[], votes: VoteRow[]): ExpectedCounters {
  const opinions: ExpectedCounters['opinions'] = {};
  for (const { id, moderated } of statements) {
    opinions[id] = { agree: 0, disagree: 0, pass: 0, hidden: moderated === -1 };
  }
  const everybody = new Set<number>();
  const visible = new Set<number>();
  let visibleVotes = 0;
  const final = latest(votes);
  for (const { statement, voter, vote } of final.values()) {
    const opinion = opinions[statement];
    if (opinion === undefined) throw new Error(`vote on unknown statement ${statement}`);
    opinion[vote === 1 ? 'agree' : vote === -1 ? 'disagree' : 'pass'] += 1;
    everybody.add(voter);
    if (opinion.hidden) continue;
    visible.add(voter);
    visibleVotes += 1;
  }
  const hidden = statements.filter(({ moderated }) => moderated === -1).length;
  return {
    opinions,
    conversation: {
      opinion_count: statements.length - hidden,
      vote_count: visibleVotes,
      participant_count: visible.size,
      total_opinion_count: statements.length,
      total_vote_count: final.size,
      total_participant_count: everybody.size,
      moderated_opinion_count: 0,
      hidden_opinion_count: hidden,
    },
    participants: everybody.size,
    votes: final.size,
  };
}

/** Splits CSV by hand: a character at a time, two quotes in a quoted field are one. */
export function splitCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let inQuotes = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (inQuotes) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') {
        field += '"';
        i += 1;
      } else inQuotes = false;
    } else if (c === '"') inQuotes = true;
    else if (c === ',') {
      row.push(field);
      field = '';
    } else if (c === '\n') {
      rows.push([...row, field]);
      row = [];
      field = '';
    } else if (c !== '\r') field += c;
  }
  if (field !== '' || row.length > 0) rows.push([...row, field]);
  return rows;
}

/** Reads statements and votes of an export's folder with the reader above. */
export async function readFolder(
  folder: string,
): Promise<{ statements: Statement[]; votes: VoteRow[]; topic: string }> {
  const table = async (name: string) => {
    const [header = [], ...rows] = splitCsv(await readFile(join(folder, name), 'utf8'));
    return rows.map((row) => Object.fromEntries(header.map((key, i) => [key, row[i] ?? ''])));
  };
  const sign = (value: string | undefined) => Number(value) as -1 | 0 | 1;
  const summary = splitCsv(await readFile(join(folder, 'summary.csv'), 'utf8'));
  return {
    topic: summary.find(([name]) => name === 'topic')?.[1] ?? '',
    statements: (await table('comments.csv')).map((row) => ({
      id: Number(row['comment-id']),
      author: Number(row['author-id']),
      at: Number(row.timestamp),
      moderated: sign(row.moderated),
      text: row['comment-body'] ?? '',
    })),
    votes: (await table('votes.csv')).map((row) => ({
      statement: Number(row['comment-id']),
      voter: Number(row['voter-id']),
      vote: sign(row.vote),
      at: Number(row.timestamp),
    })),
  };
}

/** The counters of an imported conversation, through the exact reads and as they are stored. */
export async function readCounters(
  client: pg.ClientBase | pg.Pool,
  conversationId: number,
): Promise<Record<'exact' | 'stored', Omit<ExpectedCounters, 'participants' | 'votes'>>> {
  const opinions = await client.query(
    `select split_part(g.external_id, '/', -1) as statement, o.moderation = 'hidden' as hidden,
        app_public.opinion_agree_count(o)::int as exact_agree,
        app_public.opinion_disagree_count(o)::int as exact_disagree,
        app_public.opinion_pass_count(o)::int as exact_pass,
        o.agree_count::int as stored_agree, o.disagree_count::int as stored_disagree,
        o.pass_count::int as stored_pass
      from app_public.opinion o
      join app_private.opinion_origin g on g.opinion_id = o.id
      where o.conversation_id = $1 and o.deleted_at is null`,
    [conversationId],
  );
  const conversation = await client.query(
    `select ${CONVERSATION_COUNTERS.map(
      (name) =>
        `app_public.conversation_${name}(c)::int as exact_${name}, c.${name}::int as stored_${name}`,
    ).join(', ')}
      from app_public.conversation c where c.id = $1`,
    [conversationId],
  );
  const read = (kind: 'exact' | 'stored') => ({
    opinions: Object.fromEntries(
      opinions.rows.map((row) => [
        row.statement,
        {
          agree: row[`${kind}_agree`],
          disagree: row[`${kind}_disagree`],
          pass: row[`${kind}_pass`],
          hidden: row.hidden ?? false,
        },
      ]),
    ),
    conversation: Object.fromEntries(
      CONVERSATION_COUNTERS.map((name) => [name, conversation.rows[0][`${kind}_${name}`]]),
    ),
  });
  return { exact: read('exact'), stored: read('stored') };
}

/**
 * Asserts that all counters of a conversation are as expected: exactly before the drain, and after
 * it both exactly and as stored.
 */
export async function expectCounters(
  pool: pg.Pool,
  conversationId: number,
  { opinions, conversation }: ExpectedCounters,
): Promise<void> {
  const expected = { opinions, conversation };
  expect((await readCounters(pool, conversationId)).exact).toEqual(expected);
  await drain(pool);
  expect(await readCounters(pool, conversationId)).toEqual({ exact: expected, stored: expected });
}

/** Drains until nothing is pending. */
export async function drain(client: pg.ClientBase | pg.Pool): Promise<void> {
  for (let more = true; more; ) {
    const { rows } = await client.query('select millrace.drain() as result');
    more = rows[0].result.more;
  }
}
