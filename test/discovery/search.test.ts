import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccount, expectRefused, one } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { caller, callOf, settle } from './world.ts';

let db: TestDatabase;
let call: ReturnType<typeof caller>;
let owner: string;

beforeAll(async () => {
  db = await createTestDatabase();
  call = caller(db);
  owner = await createAccount(db, 'Öystein Ærø');
});

afterAll(async () => {
  await db?.drop();
});

const value = async (expression: string, values: unknown[] = []) =>
  (await one(db.pool, `select ${expression} as value`, values)).value;

/** Titles that a search finds, best first, as a visitor. */
async function search(query: string, kinds: string[] | null = null): Promise<string[]> {
  const { text, values } = callOf('search', { query, kinds: kinds && `{${kinds.join(',')}}` });
  const { rows } = await db.asAnonymous((client) =>
    client.query(`${text} order by score desc, id`, values),
  );
  return rows.map(({ title }) => title);
}

async function show(title: string, args: Record<string, unknown> = {}): Promise<string> {
  return (await call(owner, 'create_project', { title, ...args })).id as string;
}

describe('folding', () => {
  it.each([
    ['Café  Crème—Brûlée', 'cafe creme brulee'],
    ['Straße Ångström Łódź Øre Œuvre Þing', 'strasse angstrom lodz ore oeuvre thing'],
    ['ﬁne ｆｕｌｌ ２３ ㎏', 'fine full 23 kg'],
    ['C++, C# and .NET; F#!', 'cplusplus csharp and net fsharp'],
    ['İstanbul', 'istanbul'],
    ['Привет, Ёлка', 'привет елка'],
    ['Ελλάς ΣΊΣΥΦΟΣ', 'ελλασ σισυφοσ'],
    ['مَرْحَبًا، بالعالم', 'مرحبا بالعالم'],
    ['שָׁלוֹם', 'שלום'],
    ['हिन्दी में खोज।', 'हिन्दी में खोज'],
    ['ガギグ、日本語。', 'ガギグ 日本語'],
    ['한국어 검색', '한국어 검색'],
    ['a🚀b\tc\nd', 'a b c d'],
    ['… “—” !?', ''],
  ])('%s → %s', async (text, expected) => {
    expect(await value('app_hidden.search_fold($1)', [text])).toBe(expected);
  });

  it('is done once: a folded text stays as it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const clean = text.replaceAll('\0', '');
        const folded = await value('app_hidden.search_fold($1)', [clean]);
        expect(await value('app_hidden.search_fold($1)', [folded])).toBe(folded);
        expect(folded).not.toMatch(/^ | {2}| $|['"\\:&|!()<>*]/);
      }),
      { numRuns: 300 },
    );
  });
});

describe('words', () => {
  it('of scripts without spaces are pairs of letters, the last letter by itself', async () => {
    const words = (text: string) => value('app_hidden.search_words($1)', [text]);
    expect(await words('one two')).toEqual(['one', 'two']);
    expect(await words('日本語 v2テスト')).toEqual([
      '日本',
      '本語',
      '語',
      'v2',
      'テス',
      'スト',
      'ト',
    ]);
    expect(await words('漢')).toEqual(['漢']);
    expect(await words('')).toEqual([]);
    expect(await words(`${'x'.repeat(100)} y`)).toEqual(['x'.repeat(64), 'y']);
  });
});

describe('typos', () => {
  const shared = (a: string, b: string) =>
    value('app_hidden.search_typos($1) && app_hidden.search_typos($2)', [a, b]);
  const letter = fc.constantFrom(...'abcdefgz');
  const word = fc.array(letter, { minLength: 5, maxLength: 12 }).map((it) => it.join(''));

  it('of one letter, whichever and wherever, share something with the word', async () => {
    await fc.assert(
      fc.asyncProperty(word, fc.nat(), letter, async (text, at, other) => {
        const i = at % text.length;
        const edits = [
          text.slice(0, i) + text.slice(i + 1),
          text.slice(0, i) + other + text.slice(i),
          text.slice(0, i) + other + text.slice(i + 1),
          text.slice(0, i) + (text[i + 1] ?? '') + text[i] + text.slice(i + 2),
        ];
        for (const edit of edits) expect(await shared(text, edit), `${text}, ${edit}`).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('of more than two letters share nothing', async () => {
    await fc.assert(
      fc.asyncProperty(word, word, async (a, b) => {
        if (distance(a, b) > 2) expect(await shared(a, b), `${a}, ${b}`).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('are not looked for in short words and numbers', async () => {
    expect(await value("app_hidden.search_typos('cat')")).toEqual([]);
    expect(await value("app_hidden.search_typos('20260')")).toEqual([]);
  });
});

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

describe('a search', () => {
  beforeAll(async () => {
    await show('Solar Kettle', {
      tagline: 'Boils water by the sun',
      description: 'An organizing committee recommended it. <b>Really</b> & truly.',
      tags: ['off grid'],
    });
    await show('Kettlebell tracker', { description: 'Counts repetitions.' });
    await show('Weather station', { description: 'Runs on a solar panel, without a kettle.' });
    await show('Crème brûlée torch', { description: 'Für süße Träume' });
    await show('日本語の検索エンジン', { description: '全文検索を速くする' });
    await show('Поиск по-русски', { description: 'Ёлки и палки' });
    await show('कविता संग्रह', { description: 'हिन्दी कविताएँ' });
    await show('C++ linter', { tags: ['c#', 'tooling'] });
    await show('The Who fan page');
    const gone = await show('Gone kettle');
    await call(owner, 'delete_project', { project_id: gone });
    await call(owner, 'save_profile', { headline: 'Builds kettles', skills: ['welding'] });
    const chain = await call(owner, 'create_chain', {
      slug: 'kettle-lovers',
      name: 'Tea and more',
      description: 'About boiling.',
    });
    const post = await call(owner, 'create_chain_post', {
      chain_id: chain.id,
      title: 'Descaling a kettle',
      content: 'Vinegar?',
    });
    await call(owner, 'reply_to_chain_post', { post_id: post.id, content: 'Citric acid' });
    await call(owner, 'save_investor', {
      name: 'Kettle Capital',
      thesis: 'Hot things',
      sectors: ['appliances'],
    });
    await settle(db);
  });

  it('finds by words of the title and tags, then by others', async () => {
    expect(await search('solar')).toEqual(['Solar Kettle', 'Weather station']);
    expect(await search('off grid')).toEqual(['Solar Kettle']);
    expect(await search('solar kettle ')).toEqual(['Solar Kettle', 'Weather station']);
    expect(await search('kettle solar ')).toEqual(['Solar Kettle', 'Weather station']);
    expect(await search('kettle')).toEqual([
      // The beginning of the title, shorter first, then elsewhere in it, then elsewhere.
      'Kettle Capital',
      'Kettlebell tracker',
      'Solar Kettle',
      'Descaling a kettle',
      'Tea and more',
      'Öystein Ærø',
      'Weather station',
    ]);
  });

  it('takes the last word as the beginning of one, unless a space follows', async () => {
    expect(await search('ket')).toContain('Kettlebell tracker');
    expect(await search('kettle ')).not.toContain('Kettlebell tracker');
    expect(await search('solar ket')).toEqual(['Solar Kettle', 'Weather station']);
    expect((await search('s'))[0]).toBe('Solar Kettle');
    expect(await search('so')).toEqual(['Solar Kettle']);
    expect(await search('ke')).toContain('Kettlebell tracker');
  });

  it('knows English stems', async () => {
    expect(await search('organize ')).toEqual(['Solar Kettle']);
    expect(await search('recommends ')).toEqual(['Solar Kettle']);
    expect(await search('kettles trackers ')).toEqual([]);
    expect(await search('kettlebells trackers ')).toEqual(['Kettlebell tracker']);
  });

  it('forgives a typo in each word, where nothing better is found', async () => {
    for (const typo of ['soler', 'sloar', 'sola', 'solarr']) {
      expect(await search(`${typo} ketle `), typo).toEqual(['Solar Kettle']);
    }
    expect(await search('ketlebell')).toEqual(['Kettlebell tracker']);
    expect(await search('wether')).toEqual(['Weather station']);
    expect(await search('creme brulle ')).toEqual(['Crème brûlée torch']);
    expect(await search('xyzzy')).toEqual([]);
  });

  it('folds accents, in any language', async () => {
    expect(await search('creme brulee')).toEqual(['Crème brûlée torch']);
    expect(await search('CRÈME')).toEqual(['Crème brûlée torch']);
    expect(await search('susse traume')).toEqual(['Crème brûlée torch']);
    expect(await search('oystein aero', ['person'])).toEqual(['Öystein Ærø']);
    expect(await search('елки')).toEqual(['Поиск по-русски']);
    expect(await search('поис')).toEqual(['Поиск по-русски']);
    expect(await search('कविता')).toEqual(['कविता संग्रह']);
  });

  it('finds pieces of texts without spaces', async () => {
    for (const query of ['検索', '日本語', '索エンジ', '全文', '日', '検']) {
      expect(await search(query), query).toEqual(['日本語の検索エンジン']);
    }
    expect(await search('検本')).toEqual([]);
  });

  it('knows names that are no words', async () => {
    expect(await search('c++')).toEqual(['C++ linter']);
    expect(await search('C#')).toEqual(['C++ linter']);
    expect(await search('c+')).toContain('C++ linter');
  });

  it('leaves out what stands in every text, unless there is nothing else', async () => {
    expect(await search('the solar')).toEqual(['Solar Kettle', 'Weather station']);
    expect(await search('the who')).toEqual(['The Who fan page']);
    expect(await search('the who ')).toEqual(['The Who fan page']);
  });

  it('is filtered by kind', async () => {
    expect(await search('kettle', ['chain', 'post'])).toEqual([
      'Descaling a kettle',
      'Tea and more',
    ]);
    expect(await search('kettle', ['person'])).toEqual(['Öystein Ærø']);
    expect(await search('welding', ['person'])).toEqual(['Öystein Ærø']);
    expect(await search('appliances', ['investor'])).toEqual(['Kettle Capital']);
    expect(await search('kettle', [])).toEqual(await search('kettle'));
  });

  it('does not find what is deleted, nor guests', async () => {
    expect(await search('gone')).toEqual([]);
    await db.asAnonymous(
      (client) => client.query("select app_public.create_guest_account('Kettle guest')"),
      { commit: true },
    );
    await settle(db);
    expect(await search('guest')).toEqual([]);
  });

  it('finds nothing where there is nothing to search for', async () => {
    for (const query of ['', ' ', '…', "'", '&|!', '\n']) {
      expect(await search(query), query).toEqual([]);
    }
    await expectRefused(db, () => search('x'.repeat(201)), 'DC026');
  });

  it('takes any text for a search, and gives the same order each time', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc
        .array(
          fc.constantFrom(
            'solar',
            'ket',
            "'",
            '\\',
            ':*',
            '&',
            '|',
            '!',
            '(',
            ')',
            '<->',
            '日本',
            'é',
          ),
          { maxLength: 6 },
        )
        .map((parts) => parts.join(' ')),
    );
    await fc.assert(
      fc.asyncProperty(text, async (query) => {
        const clean = query.replaceAll('\0', '');
        const found = await search(clean);
        expect(await search(clean)).toEqual(found);
      }),
      { numRuns: 150 },
    );
  });
});

describe('results', () => {
  it('are marked in title and text, and escaped', async () => {
    const read = async (query: string) =>
      (
        await db.asAnonymous((client) =>
          client.query(
            `select app_public.search_result_title_highlight(s) as title,
              app_public.search_result_snippet(s) as snippet
            from app_public.search($1, '{project}') s order by score desc, id limit 1`,
            [query],
          ),
        )
      ).rows[0];
    expect(await read('sol kettles')).toEqual(undefined);
    expect(await read('kettles sol')).toEqual({
      title: '<mark>Solar</mark> <mark>Kettle</mark>',
      snippet: 'Boils water by the sun',
    });
    expect(await read('truly')).toEqual({
      title: 'Solar Kettle',
      snippet:
        'An organizing committee recommended it. &lt;b&gt;Really&lt;/b&gt; &amp; ' +
        '<mark>truly</mark>.',
    });
    expect(await read('ketlebell')).toMatchObject({ title: '<mark>Kettlebell</mark> tracker' });
    expect(await read('brulee creme')).toMatchObject({
      title: '<mark>Crème</mark> <mark>brûlée</mark> torch',
      snippet: 'Für süße Träume',
    });
    expect(await read('suesse')).toBeUndefined();
    expect(await read('susse traum')).toMatchObject({
      snippet: 'Für <mark>süße</mark> <mark>Träume</mark>',
    });
    expect(await read('елки')).toMatchObject({ snippet: '<mark>Ёлки</mark> и палки' });
    expect(await read('कविता')).toMatchObject({ title: '<mark>कविता</mark> संग्रह' });
    expect(await read('検索')).toEqual({
      title: '日本語の<mark>検索</mark>エンジン',
      snippet: '全文<mark>検索</mark>を速くする',
    });
    expect(await read('amp')).toBeUndefined();
  });

  it('show the piece of a long text where something was found', async () => {
    const filler = 'Lorem ipsum dolor sit amet. '.repeat(30);
    await show('Long one', { description: `${filler}Here is the needle & more. ${filler}` });
    await settle(db);
    const { snippet } = await db.asAnonymous((client) =>
      one(
        client,
        "select app_public.search_result_snippet(s) as snippet from app_public.search('needles') s",
      ),
    );
    expect(snippet).toMatch(/^….* the <mark>needle<\/mark> &amp; more\. .*…$/);
    expect(String(snippet).length).toBeLessThan(300);
  });

  it('are at most 200, the most popular of them, in pages that do not depend on time', async () => {
    await db.pool.query(
      `insert into app_public.project (owner_id, title)
      select $1, 'Popular thing ' || i from generate_series(1, 400) i`,
      [owner],
    );
    await db.pool.query(
      `insert into app_public.account (display_name) select 'v' || i from generate_series(1, 30) i`,
    );
    await db.pool.query(
      `insert into app_public.project_upvote (project_id, account_id)
      select p.id, a.id from app_public.project p, app_public.account a
      where p.title ~ '^Popular thing [0-9]*7$' and a.display_name ~ '^v'`,
    );
    await settle(db);
    await settle(db);
    const found = await search('popular thing');
    expect(found).toHaveLength(200);
    expect(new Set(found).size).toBe(200);
    expect(found.slice(0, 40).every((title) => title.endsWith('7'))).toBe(true);
    expect(found.slice(40).some((title) => title.endsWith('7'))).toBe(false);
  });
});
