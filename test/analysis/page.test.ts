import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escapeHtml } from '../../scripts/lib/analysis-page.ts';
import { convexHull, plotSvg } from '../../scripts/lib/analysis-plot.ts';
import { startTestApi, type TestApi } from '../api/test-api.ts';
import { type Browser, type Page, startChromium } from './lib/chromium.ts';
import { analyzeNow, type MadeConversation, makeConversation } from './lib/conversation.ts';
import { twoCamps } from './lib/made-up.ts';

/* The page of an analysis, as a browser shows it. */

describe('the plot', () => {
  const place = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }));

  it('has hulls around all their points, with corners that are points', () => {
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 40 }), (places) => {
        const hull = convexHull(places);
        for (const corner of hull) expect(places).toContainEqual(corner);
        for (const [x, y] of places) {
          for (const [at, [ax, ay]] of hull.entries()) {
            const [bx, by] = hull[(at + 1) % hull.length] as [number, number];
            expect((bx - ax) * (y - ay) - (by - ay) * (x - ax)).toBeGreaterThanOrEqual(0);
          }
        }
        expect(new Set(hull.map(String)).size).toBe(hull.length);
      }),
      { numRuns: 300, seed: 6 },
    );
  });

  it('puts everything into the drawing, whatever the coordinates are', () => {
    for (const points of [
      [{ x: 3, y: 4, group: null }],
      [
        { x: 0, y: 0, group: 0 },
        { x: 0, y: 0, group: 0 },
      ],
      [
        { x: -1e9, y: 1, group: 0 },
        { x: 1e9, y: 2, group: 5 },
        { x: 0, y: -1e9, group: 5 },
      ],
    ]) {
      const svg = plotSvg(points, 'Title');
      expect(svg).not.toMatch(/NaN|Infinity/);
      for (const [, x, y] of svg.matchAll(/M(-?[\d.]+) (-?[\d.]+)/g)) {
        expect(Number(x)).toBeGreaterThanOrEqual(40);
        expect(Number(x)).toBeLessThanOrEqual(560);
        expect(Number(y)).toBeGreaterThanOrEqual(40);
        expect(Number(y)).toBeLessThanOrEqual(560);
      }
    }
  });
});

it('text is text, whatever it holds', () => {
  expect(escapeHtml(`<img src=x onerror="a">&'`)).toBe(
    '&lt;img src=x onerror=&quot;a&quot;&gt;&amp;&#39;',
  );
});

describe('in a browser', () => {
  let api: TestApi;
  let browser: Browser;
  let made: MadeConversation;

  beforeAll(async () => {
    browser = await startChromium();
    api = await startTestApi({ poolSize: 4 });
    made = await makeConversation(api.db, twoCamps(230, 24));
    await api.db.pool.query(
      `update app_public.conversation
      set topic = 'Trees & <b>bushes</b>', description = E'One line.\n\nAnother <script>alert(1)</script>'
      where id = $1`,
      [made.id],
    );
    await api.db.pool.query(
      `update app_public.opinion set content = content || ' <i>and</i> "quotes" ' || repeat('long', 60)
      where conversation_id = $1`,
      [made.id],
    );
    await analyzeNow(api.db, made.id);
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await api?.stop();
  });

  const open = (id: number | string = made.id) => browser.open(`${api.server.url}/analysis/${id}`);
  const texts = (page: Page, selector: string) =>
    page.evaluate<string[]>(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map((it) => it.textContent)`,
    );

  it('shows everybody as a dot of their group, within its hull, in its colour', async () => {
    const page = await open();
    const { rows } = await api.db.pool.query<{ group_key: number | null; n: number }>(
      `select group_key, count(*)::int as n from app_public.participant_position p
      join app_public.analysis_run r on r.id = p.run_id and r.is_published
      where r.conversation_id = $1 group by 1`,
      [made.id],
    );
    const dots = await page.evaluate<Record<string, number>>(`Object.fromEntries(
      [...document.querySelectorAll('path.points')].map((path) => [
        path.classList[1], path.getAttribute('d').match(/M/g).length,
      ]))`);
    expect(dots).toEqual(
      Object.fromEntries(rows.map(({ group_key, n }) => [`group-${group_key ?? 'none'}`, n])),
    );
    const colours = await page.evaluate<string[]>(`
      [...document.querySelectorAll('path.points')].map((path) => getComputedStyle(path).stroke)`);
    expect(new Set(colours).size).toBe(colours.length);
    const within = await page.evaluate<boolean>(`
      [...document.querySelectorAll('polygon.hull')].every((hull) => {
        const dots = document.querySelector('path.points.' + hull.classList[1]);
        const [a, b] = [hull.getBBox(), dots.getBBox()];
        return a.width > 0 && b.x >= a.x - 0.1 && b.y >= a.y - 0.1
          && b.x + b.width <= a.x + a.width + 0.1 && b.y + b.height <= a.y + a.height + 0.1;
      })`);
    expect(within).toBe(true);
    expect(await texts(page, 'svg.plot text')).toEqual(['A', 'B']);
    const drawn = await page.evaluate<{ width: number; height: number }>(
      `(({ width, height }) => ({ width, height }))(document.querySelector('svg.plot').getBoundingClientRect())`,
    );
    expect(drawn.width).toBeGreaterThan(300);
    expect(drawn.height).toBeCloseTo(drawn.width, -1);
    expect(page.complaints).toEqual([]);
  });

  it('shows what represents each group, and what divides them, as the API has it', async () => {
    const page = await open();
    const { data } = await api.query(`{ conversation(id: ${made.id}) {
      divisiveOpinions(first: 10) { nodes { opinion { content } } }
      analysis { groups { nodes { label size
        representativeOpinions(first: 5) { nodes { isSelected opinion { content } } } } } } } }`);
    const { divisiveOpinions, analysis } = data.conversation;
    // biome-ignore lint/suspicious/noExplicitAny: what was asked for is what came.
    const contents = (list: { nodes: any[] }) => list.nodes.map((it) => it.opinion.content);
    for (const [at, group] of analysis.groups.nodes.entries()) {
      expect((await texts(page, `article.group-${at} h2`))[0]).toContain(group.label);
      expect((await texts(page, `article.group-${at} h2 small`))[0]).toBe(`${group.size} members`);
      expect(await texts(page, `article.group-${at} q`)).toEqual(
        contents(group.representativeOpinions),
      );
    }
    expect(await texts(page, '#divisive q')).toEqual(contents(divisiveOpinions));
    const bars = await page.evaluate<[number, number, number][]>(`
      [...document.querySelectorAll('#divisive .bars svg')].map((svg) =>
        ['pass', 'agree', 'disagree'].map((it) => svg.querySelector('.' + it).getBBox().width))`);
    expect(bars).toHaveLength(20);
    for (const [all, agree, disagree] of bars) {
      expect(all).toBe(100);
      expect(agree + disagree).toBeLessThanOrEqual(100.1);
    }
  });

  it('shows texts as texts, and lets nothing of theirs run', async () => {
    const page = await open();
    expect((await texts(page, 'h1'))[0]).toBe('Trees & <b>bushes</b>');
    expect(await texts(page, 'main > p')).toContain('Another <script>alert(1)</script>');
    expect(await page.evaluate('document.querySelectorAll("script, b, i").length')).toBe(0);
    expect((await texts(page, 'q'))[0]).toContain('<i>and</i> "quotes"');
    const response = await fetch(`${api.server.url}/analysis/${made.id}`);
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none';/);
    // The style sheet is let through by its hash, or nothing would look like anything.
    expect(await page.evaluate('getComputedStyle(document.body).margin')).toBe('0px');
  });

  it.each([320, 768, 1280])(
    'fits into a window of %i pixels, by day and by night',
    async (width) => {
      const page = await open();
      await page.setWidth(width);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
        width,
      );
      const colours: string[] = [];
      for (const dark of [false, true]) {
        await page.setDark(dark);
        colours.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
      }
      expect(colours[0]).not.toBe(colours[1]);
      expect((await page.screenshot()).length).toBeGreaterThan(10_000);
    },
  );

  it('says what is missing where there is too little, or nothing', async () => {
    const few = await makeConversation(api.db, twoCamps(3, 8));
    expect(await texts(await open(few.id), '.note')).toEqual([
      'This conversation has not been analysed yet.',
    ]);
    await analyzeNow(api.db, few.id);
    const page = await open(few.id);
    expect((await texts(page, '.note'))[0]).toBe(
      'There are not enough participants to tell groups.',
    );
    expect(await texts(page, 'article')).toEqual([]);
    for (const id of [987_654, 'x', '0', '99999999999999999999', '%3Cscript%3E', '']) {
      const response = await fetch(`${api.server.url}/analysis/${id}`);
      expect(response.status).toBe(404);
      expect(await response.text()).toContain('There is no such conversation.');
    }
    const posted = await fetch(`${api.server.url}/analysis/${few.id}`, { method: 'POST' });
    expect(posted.status).toBe(405);
  });
});
