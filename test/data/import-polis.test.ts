import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Header } from 'tar';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { PolisFormatError } from '../../scripts/lib/polis-error.ts';
import { importPolis } from '../../scripts/lib/polis-import.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import {
  countsOf,
  type Export,
  expectCounters,
  type Files,
  filesOf,
  newFolder,
  readCounters,
  removeFolders,
  smallExport,
  writeArchive,
  writeFolder,
} from './polis-export.ts';

let db: TestDatabase;

const { TMPDIR } = process.env;

beforeAll(async () => {
  db = await createTestDatabase();
  // What an import unpacks goes here, apart from that of other tests.
  process.env.TMPDIR = await mkdtemp(join(tmpdir(), 'millrace-test-import-'));
});
afterEach(removeFolders);
afterAll(async () => {
  await rm(tmpdir(), { recursive: true });
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  await db?.drop();
});

/** What imports have unpacked and not removed. */
async function unpacked(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith('millrace-polis-')).sort();
}

/** Everything that an import may write, as one value to compare. */
async function everything(): Promise<unknown> {
  const tables = [
    'app_public.account',
    'app_public.conversation',
    'app_public.opinion',
    'app_public.opinion_vote',
    'app_public.opinion_moderation',
    'app_private.account_origin',
    'app_private.conversation_origin',
    'app_private.opinion_origin',
  ];
  const { rows } = await db.pool.query(
    `select ${tables
      .map((name) => `(select json_agg(t order by t::text) from ${name} t) as "${name}"`)
      .join(', ')}`,
  );
  return rows[0];
}

async function importFiles(files: Files) {
  return await importPolis(db.connectionString, await writeFolder(files));
}

/** Imports an export and checks the answer and every counter against an independent count. */
async function importAndCount(given: Export) {
  const result = await importFiles(filesOf(given));
  const counts = countsOf(given.statements, given.votes);
  expect(result).toEqual({
    conversationId: expect.any(Number),
    participants: counts.participants,
    opinions: given.statements.length,
    votes: counts.votes,
    seconds: expect.any(Number),
  });
  await expectCounters(db.pool, result.conversationId, counts);
  return result;
}

describe('an export', () => {
  it('comes in with every count exact before and after the drain', async () => {
    await importAndCount(smallExport('counts'));
  });

  it('comes in with its texts, times, authors and moderation', async () => {
    const given = smallExport('texts');
    const { conversationId } = await importFiles(filesOf(given));
    const conversation = await db.pool.query(
      `select c.topic, c.description, a.display_name, c.created_at
        from app_public.conversation c join app_public.account a on a.id = c.owner_id
        where c.id = $1`,
      [conversationId],
    );
    expect(conversation.rows).toEqual([
      {
        topic: given.topic,
        description: given.description,
        display_name: 'Polis import',
        created_at: new Date(given.statements[0]?.at ?? 0),
      },
    ]);
    const opinions = await db.pool.query(
      `select o.content, o.created_at, o.moderation, o.is_seed, o.deleted_at, a.display_name,
          a.is_guest, m.action, m.withdrawn_at
        from app_public.opinion o
        join app_public.account a on a.id = o.author_id
        left join app_public.opinion_moderation m on m.opinion_id = o.id
        where o.conversation_id = $1 order by o.id`,
      [conversationId],
    );
    expect(opinions.rows).toEqual(
      given.statements.map(({ text, at, moderated, author }) => ({
        content: text,
        created_at: new Date(at),
        moderation: moderated === -1 ? 'hidden' : null,
        is_seed: false,
        deleted_at: null,
        display_name: `Participant ${author}`,
        is_guest: true,
        action: moderated === -1 ? 'hidden' : null,
        withdrawn_at: null,
      })),
    );
    const votes = await db.pool.query(
      `select split_part(o.external_id, '/', -1)::int as statement,
          split_part(a.external_id, '#', -1)::int as voter, v.choice, v.cast_at, v.cancelled_at
        from app_public.opinion_vote v
        join app_private.opinion_origin o on o.opinion_id = v.opinion_id
        join app_private.account_origin a on a.account_id = v.voter_id
        where v.conversation_id = $1 order by 1, 2`,
      [conversationId],
    );
    const minutes = (count: number) => new Date(Date.UTC(2024, 2, 1, 10, count));
    const vote = (statement: number, voter: number, choice: string, at: number) => ({
      statement,
      voter,
      choice,
      cast_at: minutes(at),
      cancelled_at: null,
    });
    expect(votes.rows).toEqual([
      vote(0, 0, 'agree', 0),
      vote(0, 1, 'disagree', 9),
      vote(0, 2, 'pass', 1),
      vote(1, 0, 'agree', 0),
      vote(1, 3, 'pass', 5),
      vote(2, 1, 'agree', 0),
      vote(2, 2, 'disagree', 2),
      vote(2, 4, 'disagree', 4),
      vote(3, 2, 'agree', 0),
      vote(4, 0, 'pass', 7),
      vote(4, 3, 'disagree', 6),
    ]);
  });

  it('comes in from a .tar.gz, in whatever order its entries are, in a folder or not', async () => {
    const given = smallExport('archive');
    const first = await importPolis(db.connectionString, await writeArchive(filesOf(given)));
    const before = await everything();
    const nested = await writeArchive(filesOf(given), 'some/export');
    const second = await importPolis(db.connectionString, nested);
    expect({ ...second, seconds: 0 }).toEqual({ ...first, seconds: 0 });
    expect(await everything()).toEqual(before);
    await expectCounters(db.pool, first.conversationId, countsOf(given.statements, given.votes));
  });

  it('comes in from a folder that keeps it in originals.tar.gz', async () => {
    const given = smallExport('originals');
    const archive = await readFile(await writeArchive(filesOf(given)));
    const folder = await writeFolder({ 'originals.tar.gz': archive, 'votes.csv': 'tidied' });
    const { opinions } = await importPolis(db.connectionString, folder);
    expect(opinions).toBe(given.statements.length);
  });

  it('may have Windows line ends, a byte order mark, further columns, times in seconds', async () => {
    const given = smallExport('variants');
    const files = filesOf(given);
    const votes = String(files['votes.csv'])
      .replace(/^(\d{10})\d{3},/gm, '$1,')
      .replace(/$/gm, (_, at: number, all: string) => (at === all.length ? '' : ',extra'))
      .replaceAll('\n', '\r\n');
    const { conversationId } = await importFiles({ ...files, 'votes.csv': `\ufeff${votes}` });
    await expectCounters(db.pool, conversationId, countsOf(given.statements, given.votes));
    const { rows } = await db.pool.query(
      'select max(cast_at) as last from app_public.opinion_vote where conversation_id = $1',
      [conversationId],
    );
    expect(rows[0].last).toEqual(new Date(Date.UTC(2024, 2, 1, 10, 9)));
  });

  it('may lack participants-votes.csv, and may have no votes', async () => {
    const given = { ...smallExport('quiet'), votes: [] };
    const { 'participants-votes.csv': _, ...files } = filesOf(given);
    const { conversationId, participants, votes } = await importFiles(files);
    expect({ participants, votes }).toEqual({ participants: 0, votes: 0 });
    await expectCounters(db.pool, conversationId, countsOf(given.statements, []));
  });
});

describe('a second import', () => {
  it('of the same export changes nothing', async () => {
    const files = filesOf(smallExport('again'));
    const first = await importFiles(files);
    const before = await everything();
    const second = await importFiles(files);
    expect({ ...second, seconds: 0 }).toEqual({ ...first, seconds: 0 });
    expect(await everything()).toEqual(before);
  });

  it('of a later export carries over what has changed, and back again', async () => {
    const early = smallExport('later');
    const { conversationId } = await importAndCount(early);
    const late: Export = {
      ...early,
      topic: 'Another topic',
      statements: [
        // Statement 3 is gone; 0 is rejected now, 2 accepted; 5 is new; 4 reads differently.
        ...early.statements
          .filter(({ id }) => id !== 3)
          .map((it) => {
            if (it.id === 0) return { ...it, moderated: -1 as const };
            if (it.id === 2) return { ...it, moderated: 1 as const };
            return it.id === 4 ? { ...it, text: 'Reads differently' } : it;
          }),
        { id: 5, author: 8, at: Date.UTC(2024, 3, 1), moderated: 0, text: 'New' },
      ],
      votes: [
        // The votes on 3 and voter 4's are gone; voter 0 has changed 0; voter 8 is new.
        ...early.votes.filter(({ statement, voter }) => statement !== 3 && voter !== 4),
        { statement: 0, voter: 0, vote: -1, at: Date.UTC(2024, 3, 2) },
        { statement: 5, voter: 8, vote: 1, at: Date.UTC(2024, 3, 1) },
      ],
    };
    for (const given of [late, late, early, late]) {
      const again = await importAndCount(given);
      expect(again.conversationId).toBe(conversationId);
    }
    const { rows } = await db.pool.query(
      `select c.topic, (
          select array_agg(o.content order by o.id) from app_public.opinion o
          where o.conversation_id = c.id and o.content in ('Reads differently', 'New')
        ) as contents
        from app_public.conversation c where c.id = $1`,
      [conversationId],
    );
    expect(rows).toEqual([{ topic: late.topic, contents: ['Reads differently', 'New'] }]);
  });

  it('leaves alone what was decided here', async () => {
    const given = smallExport('local');
    const { conversationId } = await importFiles(filesOf(given));
    const opinion = (statement: number) =>
      `(select opinion_id from app_private.opinion_origin
        where external_id = 'polis:polis.example/local/${statement}')`;
    const participant = (number: number) =>
      `(select account_id from app_private.account_origin
        where external_id = 'polis:polis.example/local#${number}')`;
    await db.pool.query(`
      update app_public.opinion set moderation = 'moved' where id = ${opinion(0)};
      update app_public.opinion set moderation = null where id = ${opinion(2)};
      update app_public.opinion set deleted_at = now() where id = ${opinion(1)};
      insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
        select ${opinion(4)}, owner_id, id, 'agree'
        from app_public.conversation where id = ${conversationId};
      update app_public.opinion_vote set cancelled_at = now() where voter_id = ${participant(3)};
      update app_public.account set deleted_at = now() where id = ${participant(3)}
    `);
    const before = await everything();
    await importFiles(filesOf(given));
    expect(await everything()).toEqual(before);
    const { exact } = await readCounters(db.pool, conversationId);
    expect(exact.conversation).toMatchObject({
      moderated_opinion_count: 1,
      hidden_opinion_count: 1,
    });
  });

  it('is refused when the conversation was deleted here', async () => {
    const files = filesOf(smallExport('deleted'));
    const { conversationId } = await importFiles(files);
    await db.pool.query('update app_public.conversation set deleted_at = now() where id = $1', [
      conversationId,
    ]);
    const before = await everything();
    await expect(importFiles(files)).rejects.toThrow(
      `is here as conversation ${conversationId} and was deleted`,
    );
    expect(await everything()).toEqual(before);
  });

  it('at the same time as the first finds the same conversation', async () => {
    const given = smallExport('twice');
    const folder = await writeFolder(filesOf(given));
    const [a, b] = await Promise.all([
      importPolis(db.connectionString, folder),
      importPolis(db.connectionString, folder),
    ]);
    expect(a?.conversationId).toBe(b?.conversationId);
    await expectCounters(db.pool, a.conversationId, countsOf(given.statements, given.votes));
  });
});

describe('a malformed export is refused with its place and nothing changed', () => {
  const base = filesOf(smallExport('malformed'));
  const edit = (name: string, from: string | RegExp, to: string): Files => {
    const text = String(base[name]);
    const edited = text.replace(from, to);
    if (edited === text) throw new Error(`${name} has no ${from}`);
    return { ...base, [name]: edited };
  };
  const append = (name: string, ...pieces: (string | Buffer)[]): Files => ({
    ...base,
    [name]: Buffer.concat([base[name] as string, ...pieces].map((piece) => Buffer.from(piece))),
  });
  const without = (name: string): Files =>
    Object.fromEntries(Object.entries(base).filter(([key]) => key !== name));
  // comments.csv, newest first: 9 on line 2, 4 on 3, 3 on 4, 2 on 5, 1 on 6 to 8, 0 on 9.
  const cases: [string, Files, { file: string; line?: number; column?: number }, RegExp][] = [
    [
      'a bad number',
      edit('votes.csv', /^\d+(?=,[^,]*,0,2)/m, '17e9'),
      at('votes.csv', 5, 1),
      /"17e9" is not a whole number/,
    ],
    [
      'a negative id',
      edit('votes.csv', ',0,2,0', ',0,-2,0'),
      at('votes.csv', 5, 4),
      /"-2" is not a whole/,
    ],
    [
      'an id beyond integers',
      edit('votes.csv', ',0,2,0', ',0,2147483648,0'),
      at('votes.csv', 5, 4),
      /not between/,
    ],
    [
      'a time beyond the year 9999',
      edit('votes.csv', /^\d+(?=,[^,]*,0,2)/m, '253402300800000'),
      at('votes.csv', 5, 1),
      /not between/,
    ],
    [
      'a bad vote',
      edit('votes.csv', ',0,2,0', ',0,2,2'),
      at('votes.csv', 5, 5),
      /"2" is not a vote/,
    ],
    [
      'a vote that is no number',
      edit('votes.csv', ',0,2,0', ',0,2,agree'),
      at('votes.csv', 5, 5),
      /"agree" is not a vote/,
    ],
    [
      'an empty vote',
      edit('votes.csv', ',0,2,0', ',0,2,'),
      at('votes.csv', 5, 5),
      /"" is not a vote/,
    ],
    [
      'an unknown statement',
      edit('votes.csv', ',3,2,1', ',77,2,1'),
      at('votes.csv', 12, 3),
      /statement 77 is not in comments\.csv/,
    ],
    [
      'a missing column',
      edit('votes.csv', 'voter-id', 'voter'),
      at('votes.csv', 1),
      /column "voter-id" is missing/,
    ],
    [
      'a column twice',
      edit('votes.csv', 'datetime', 'vote'),
      at('votes.csv', 1, 5),
      /column "vote" is there twice/,
    ],
    [
      'a row that is cut',
      edit('votes.csv', ',4,3,-1', ',4,3'),
      at('votes.csv', 13, 5),
      /4 fields where the first has 5/,
    ],
    [
      'a row that is too long',
      edit('votes.csv', ',0,2,0', ',0,2,0,0'),
      at('votes.csv', 5, 6),
      /6 fields where the first has 5/,
    ],
    ['an empty file', { ...base, 'votes.csv': '' }, at('votes.csv', 1), /the file is empty/],
    [
      'a duplicate statement',
      edit('comments.csv', ',2,1,1,2,-1,', ',4,1,1,2,-1,'),
      at('comments.csv', 5, 3),
      /statement 4 is on line 3 already/,
    ],
    [
      'a bad moderation',
      edit('comments.csv', ',2,1,1,2,-1,', ',2,1,1,2,-2,'),
      at('comments.csv', 5, 7),
      /"-2" is none of -1, 0, 1/,
    ],
    [
      'a bad author',
      edit('comments.csv', ',0,0,2,1,1,Plain', ',0,x,2,1,1,Plain'),
      at('comments.csv', 9, 4),
      /"x" is not a whole number/,
    ],
    [
      'an empty text',
      edit('comments.csv', ',Plain', ', '),
      at('comments.csv', 9, 8),
      /the text is empty/,
    ],
    [
      'a text that is too long',
      edit('comments.csv', ',Plain', `,${'é'.repeat(2001)}`),
      at('comments.csv', 9, 8),
      /longer than 2000 characters/,
    ],
    [
      'a row too long after empty lines',
      edit('votes.csv', /^(\d+,[^,]*,0,1,1)$/m, '\n\n$1,1'),
      at('votes.csv', 6, 6),
      /6 fields where the first has 5/,
    ],
    [
      'a quote that is never closed',
      edit('comments.csv', ',Rejected\n', ',"Rejected\n'),
      at('comments.csv', 5, 8),
      /quote/i,
    ],
    [
      'a quote inside a field',
      edit('comments.csv', ',Plain', ',Pl"ain'),
      at('comments.csv', 9, 8),
      /quote/i,
    ],
    [
      'a row longer than any',
      edit('comments.csv', ',Plain', `,"${'x\n'.repeat(600_000)}"`),
      at('comments.csv', 9),
      /longer than 1048576 characters/,
    ],
    [
      'Latin-1',
      append('comments.csv', '1709283600000,x,6,1,0,0,1,caf', Buffer.from([0xe9]), '\n'),
      at('comments.csv', 10, 8),
      /not UTF-8/,
    ],
    [
      'UTF-16',
      { ...base, 'comments.csv': Buffer.from(`\ufeff${base['comments.csv']}`, 'utf16le') },
      at('comments.csv', 1, 1),
      /UTF-16/,
    ],
    [
      'a character cut in two',
      append('comments.csv', '1709283600000,x,6,1,0,0,1,', Buffer.from('é').subarray(0, 1)),
      at('comments.csv', 10, 8),
      /not UTF-8/,
    ],
    ['a NUL byte', append('votes.csv', '1709283600000,x,0,5,\0\n'), at('votes.csv', 15, 5), /NUL/],
    [
      'binary nonsense',
      { ...base, 'votes.csv': gzipSync('nonsense') },
      at('votes.csv', 1),
      /UTF-8|NUL/,
    ],
    [
      'a topic that is missing',
      edit('summary.csv', /^topic/, 'title'),
      at('summary.csv'),
      /"topic" is missing/,
    ],
    [
      'an empty topic',
      edit('summary.csv', /^topic,.*$/m, 'topic,'),
      at('summary.csv', 1, 2),
      /"topic" is empty/,
    ],
    [
      'a topic that is too long',
      edit('summary.csv', /^topic,.*$/m, `topic,${'x'.repeat(301)}`),
      at('summary.csv', 1, 2),
      /longer than 300/,
    ],
    [
      'an address that is none',
      edit('summary.csv', 'https://', ''),
      at('summary.csv', 2, 2),
      /not the address/,
    ],
    [
      'a count that is no number',
      edit('summary.csv', /^voters,.*$/m, 'voters,some'),
      at('summary.csv', 4, 2),
      /"some" is not a whole number/,
    ],
    [
      'a summary with three columns',
      edit('summary.csv', /^views/m, 'views,1'),
      at('summary.csv', 3, 3),
      /3 fields/,
    ],
    [
      'an unknown statement among the columns',
      edit('participants-votes.csv', /,4$/m, ',44'),
      at('participants-votes.csv', 1, 11),
      /statement 44/,
    ],
    [
      'a bad cell',
      edit('participants-votes.csv', /,0$/m, ',9'),
      at('participants-votes.csv', 2, 11),
      /"9" is not a vote/,
    ],
    [
      'a participant twice',
      edit('participants-votes.csv', /^1,/m, '0,'),
      at('participants-votes.csv', 3, 1),
      /participant 0 is on line 2 already/,
    ],
    ['no summary.csv', without('summary.csv'), {} as never, /summary\.csv is missing/],
    ['no votes.csv', without('votes.csv'), {} as never, /votes\.csv is missing/],
    ['no comments.csv', without('comments.csv'), {} as never, /comments\.csv is missing/],
  ];

  function at(file: string, line?: number, column?: number) {
    return { file, line, column };
  }

  it.each(cases)('%s', async (_, files, place, message) => {
    const before = await everything();
    const error = await importFiles(files).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(PolisFormatError);
    const { place: found, message: text } = error as PolisFormatError;
    expect(text).toMatch(message);
    if (place.file !== undefined) {
      expect(found.file).toBe(place.file);
      if (place.line !== undefined) {
        expect(found.line).toBe(place.line);
        expect(text).toContain(`${place.file}, line ${place.line}`);
      }
      if (place.column !== undefined) {
        expect(found.column).toBe(place.column);
        expect(text).toContain(`column ${place.column}`);
      }
    }
    expect(await everything()).toEqual(before);
  });

  it('nothing of it remains in the way of a sound import', async () => {
    await importAndCount(smallExport('malformed'));
  });

  it('a path that does not exist, and a file that is no archive', async () => {
    const nowhere = join(await newFolder(), 'nowhere');
    await expect(importPolis(db.connectionString, nowhere)).rejects.toThrow(/no such file/);
    const folder = await writeFolder({ 'votes.csv': 'timestamp' });
    await expect(importPolis(db.connectionString, join(folder, 'votes.csv'))).rejects.toThrow(
      /votes\.csv: this is neither a folder nor a gzip archive/,
    );
    await expect(importPolis(db.connectionString, await newFolder())).rejects.toThrow(
      /summary\.csv is missing/,
    );
  });
});

describe('a damaged or hostile archive is refused and nothing unpacked remains', () => {
  const files = filesOf(smallExport('archives'));

  /** Archives are written by hand: the tar library would not make these. */
  function tarball(entries: { path: string; type?: string; content?: string; link?: string }[]) {
    const blocks: Buffer[] = [];
    for (const { path, type = 'File', content = '', link } of entries) {
      const header = new Header({
        path,
        type: type as 'File',
        linkpath: link,
        size: content.length,
        mode: 0o644,
        mtime: new Date(0),
      });
      header.encode();
      const data = Buffer.alloc(Math.ceil(content.length / 512) * 512);
      data.write(content);
      blocks.push(header.block as Buffer, data);
    }
    return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
  }
  const entries = Object.entries(files).map(([path, content]) => ({
    path,
    content: String(content).replace(/[^\x20-\x7e\n]/g, '?'),
  }));
  const good = tarball(entries);

  const cases: [string, () => Buffer, RegExp][] = [
    ['cut short', () => good.subarray(0, good.length - 40), /damaged or cut short: unexpected end/],
    ['cut to its first bytes', () => good.subarray(0, 12), /damaged or cut short/],
    [
      'one bit wrong',
      () => Buffer.from(good.map((byte, i) => (i === good.length >> 1 ? byte ^ 4 : byte))),
      /damaged or cut short/,
    ],
    ['its content cut', () => gzipSync(gunzipSync(good).subarray(0, 700)), /damaged or cut short/],
    ['nonsense', () => Buffer.concat([good.subarray(0, 2), Buffer.from('nonsense')]), /damaged/],
    ['no tar', () => gzipSync('nonsense'.repeat(200)), /damaged|summary\.csv is missing/],
    [
      'a path upwards',
      () => tarball([{ path: '../votes.csv', content: 'x' }, ...entries]),
      /"\.\.\/votes\.csv" points outside/,
    ],
    [
      'an absolute path',
      () => tarball([{ path: '/etc/votes.csv', content: 'x' }, ...entries]),
      /"\/etc\/votes\.csv" points outside/,
    ],
    [
      'a link',
      () => tarball([{ path: 'votes.csv', type: 'SymbolicLink', link: '/etc/passwd' }]),
      /"votes\.csv" is a SymbolicLink/,
    ],
    [
      'a file twice',
      () => tarball([...entries, { path: 'more/votes.csv', content: 'x' }]),
      /votes\.csv is there twice/,
    ],
  ];

  it.each(cases)('%s', async (_, make, message) => {
    const before = [await everything(), await unpacked()];
    const path = join(await writeFolder({ 'export.tar.gz': make() }), 'export.tar.gz');
    const error = await importPolis(db.connectionString, path).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(PolisFormatError);
    expect((error as Error).message).toMatch(message);
    expect([await everything(), await unpacked()]).toEqual(before);
  });

  it('is bounded in size: one file, and all together with what is ignored', async () => {
    const archive = await writeArchive({ ...files, 'ignored.bin': Buffer.alloc(200_000) });
    const limits = { fileBytes: 100_000, totalBytes: 1_000_000 };
    await importPolis(db.connectionString, archive, { limits });
    await expect(
      importPolis(db.connectionString, archive, { limits: { ...limits, fileBytes: 400 } }),
    ).rejects.toThrow(/\.csv: larger than 400 bytes/);
    await expect(
      importPolis(db.connectionString, archive, { limits: { ...limits, totalBytes: 100_000 } }),
    ).rejects.toThrow(/export\.tar\.gz: larger than 100,000 bytes/);
    const folder = await writeFolder(files);
    await expect(
      importPolis(db.connectionString, folder, { limits: { ...limits, fileBytes: 400 } }),
    ).rejects.toThrow(/\.csv: larger than 400 bytes/);
    expect(await unpacked()).toEqual([]);
  });
});

describe('the command', () => {
  /** Runs `import:polis` and collects what it prints. */
  function command(...args: string[]) {
    const child = spawn(process.execPath, ['scripts/import-polis.ts', ...args], {
      cwd: ROOT,
      env: { ...process.env, DATABASE_URL: db.connectionString },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => {
      output.stdout += data;
    });
    child.stderr.on('data', (data) => {
      output.stderr += data;
    });
    const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...output }));
    return { child: child as ChildProcess, ended };
  }

  it('prints one JSON object on standard output, and progress on standard error', async () => {
    const given = smallExport('json');
    const folder = await writeFolder(filesOf(given));
    const { code, stdout, stderr } = await command(folder, '--json').ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('votes.csv') });
    const result = JSON.parse(stdout);
    expect(stdout).toBe(`${JSON.stringify(result)}\n`);
    expect(Object.keys(result)).toEqual([
      'conversationId',
      'participants',
      'opinions',
      'votes',
      'seconds',
    ]);
    const counts = countsOf(given.statements, given.votes);
    expect(result).toMatchObject({
      participants: counts.participants,
      opinions: given.statements.length,
      votes: counts.votes,
    });
    await expectCounters(db.pool, result.conversationId, counts);
  });

  it('takes the database from --database-url and says in words what it did', async () => {
    const folder = await writeFolder(filesOf(smallExport('words')));
    const { code, stdout } = await command(folder, '--database-url', db.connectionString).ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^conversation \d+: 5 participants, 6 opinions, 11 votes, in /);
  });

  it('says when the rest of the export speaks of other numbers, and goes by the votes', async () => {
    const given = smallExport('differs');
    const files = filesOf(given);
    const votes = String(files['votes.csv']).trimEnd().split('\n').slice(0, -2).join('\n');
    const folder = await writeFolder({ ...files, 'votes.csv': `${votes}\n` });
    const { code, stdout, stderr } = await command(folder, '--json').ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/participants-votes\.csv has other numbers of votes .* 2 participants/);
    expect(JSON.parse(stdout).votes).toBe(9);
  });

  it('ends with 2 and the place for a malformed export, with 1 without a path', async () => {
    const files = filesOf(smallExport('command'));
    const votes = String(files['votes.csv']).replace(',0,2,0', ',0,2,5');
    const malformed = await command(await writeFolder({ ...files, 'votes.csv': votes }), '--json')
      .ended;
    expect(malformed).toMatchObject({ code: 2, stdout: '' });
    expect(malformed.stderr).toContain('votes.csv, line 5, column 5 (vote): "5" is not a vote');
    const nothing = await command().ended;
    expect(nothing).toMatchObject({ code: 1, stdout: '' });
    expect(nothing.stderr).toContain("missing required argument 'path'");
  });

  it.each([
    ['SIGTERM', { code: 143, signal: null }],
    ['SIGINT', { code: 130, signal: null }],
    ['SIGKILL', { code: null, signal: 'SIGKILL' }],
  ] as const)('stopped in the middle by %s leaves nothing', async (signal, expected) => {
    const given = smallExport(signal);
    const archive = await writeArchive(filesOf(given));
    const before = await everything();
    // The table of the last step is locked: when the import waits for it, all the rest is written.
    const holder = await db.connect();
    await holder.query('begin; lock table app_public.opinion_vote in exclusive mode');
    const { child, ended } = command(archive, '--json');
    const pid = await backendThat('waits');
    child.kill(signal);
    const result = await ended;
    expect(result).toMatchObject({ ...expected, stdout: '' });
    // The backend notices that its client is gone when it has the lock.
    await holder.query('rollback');
    await backendThat('is gone', pid);
    expect(await everything()).toEqual(before);
    if (signal !== 'SIGKILL') expect(await unpacked()).toEqual([]);
    await importAndCount(given);
  });

  /** The import's backend once it waits for a lock, or once it has ended. */
  async function backendThat(state: 'waits' | 'is gone', pid?: number): Promise<number> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const { rows } = await db.pool.query<{ pid: number; waits: boolean }>(
        `select pid, cardinality(pg_blocking_pids(pid)) > 0 as waits
          from pg_stat_activity
          where application_name = 'millrace import:polis' and datname = current_database()`,
      );
      const found = rows.find((row) => (pid === undefined ? row.waits : row.pid === pid));
      if (state === 'waits' && found) return found.pid;
      if (state === 'is gone' && !found) return pid ?? 0;
      if (Date.now() > deadline) throw new Error(`no backend ${state}: ${JSON.stringify(rows)}`);
    }
  }

  it('is stopped by a signal between two statements too', async () => {
    const folder = await writeFolder(filesOf(smallExport('aborted')));
    const before = await everything();
    const stop = new AbortController();
    const progress = {
      step: (label: string) => {
        if (label.includes('votes.csv')) stop.abort(new Error('stopped'));
      },
      update: () => undefined,
      note: () => undefined,
      stop: () => undefined,
    };
    await expect(
      importPolis(db.connectionString, folder, { progress, signal: stop.signal }),
    ).rejects.toThrow('stopped');
    expect(await everything()).toEqual(before);
  });
});

describe('the independent count', () => {
  it('sees a vote that was changed behind the importer', async () => {
    const given = smallExport('planted');
    const { conversationId } = await importAndCount(given);
    await db.pool.query(
      `update app_public.opinion_vote set choice = 'agree'
        where conversation_id = $1 and choice = 'disagree'`,
      [conversationId],
    );
    await expect(
      expectCounters(db.pool, conversationId, countsOf(given.statements, given.votes)),
    ).rejects.toThrow();
  });

  it('sees a file that was written wrong', async () => {
    const given = smallExport('written');
    const folder = await writeFolder(filesOf(given));
    await writeFile(join(folder, 'votes.csv'), 'timestamp,datetime,comment-id,voter-id,vote\n');
    const { votes } = await importPolis(db.connectionString, folder);
    expect(votes).not.toBe(countsOf(given.statements, given.votes).votes);
  });
});
