import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Analysed,
  type Api,
  type GroupVotes,
  loadAnalysis,
  type Opinion,
  TooManyRequests,
} from './analysis-page-data.ts';
import { groupLetter, plotSvg } from './analysis-plot.ts';
import { log } from './log.ts';

/*
 * The page of an analysis, `/analysis/<conversation>`: plain HTML and SVG without a script, made of
 * what the GraphQL API gives to anybody who asks.
 */

const STYLE = readFileSync(new URL('analysis-page.css', import.meta.url), 'utf8');

/** Nothing is loaded, nothing runs: the one style sheet is known by its hash. */
const SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Answers GET `/analysis/<conversation>` by asking the API; false for another path. */
export function handleAnalysisPage(
  api: () => Api,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const match = /^\/analysis\/([^/?]*)(?:\?.*)?$/.exec(request.url ?? '');
  if (match === null) return false;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return true;
  }
  const id = /^[1-9]\d{0,17}$/.test(match[1] ?? '') ? (match[1] as string) : null;
  const loaded = id === null ? Promise.resolve(null) : loadAnalysis(api(), id);
  loaded.then(
    (analysed) =>
      analysed === null
        ? send(response, 404, message('There is no such conversation.'))
        : send(response, 200, analysisPage(analysed)),
    (error: unknown) => {
      if (error instanceof TooManyRequests) {
        response.setHeader('retry-after', error.retryAfter);
        send(response, 429, message('These are too many requests. Try again in a minute.'));
        return;
      }
      log.warn({ err: error, conversation: id }, 'the page of an analysis could not be made');
      send(response, 503, message('The analysis cannot be shown at the moment.'));
    },
  );
  return true;
}

function send(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(html),
    'cache-control': 'no-cache',
    'content-security-policy': SECURITY_POLICY,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
  response.end(html);
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML, in an element or a quoted attribute. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

const message = (text: string) => page(text, `<h1>${escapeHtml(text)}</h1>`);

/** Why there is nothing to plot, or no groups in the plot. */
const OUTCOMES: Record<string, string> = {
  no_votes: 'Nobody has voted yet.',
  not_enough_participants: 'There are not enough participants to tell groups.',
  not_enough_opinions: 'There are not enough opinions to tell groups.',
  no_groups: 'The participants do not fall into groups.',
};

/** The whole page. Every text that people wrote is escaped. */
export function analysisPage({ topic, description, analysis, lists, points }: Analysed): string {
  const heading = `<h1>${escapeHtml(topic)}</h1>${paragraphs(description)}`;
  if (analysis === null) {
    return page(
      topic,
      `${heading}<p class="note">This conversation has not been analysed yet.</p>`,
    );
  }
  const { groups } = analysis;
  const names = new Map(groups.map(({ key, label }) => [key, label]));
  const count = (n: number, one: string, more: string) =>
    `${n.toLocaleString('en')} ${n === 1 ? one : more}`;
  const facts = [
    count(analysis.participantCount, 'participant', 'participants'),
    count(analysis.opinionCount, 'opinion', 'opinions'),
    count(analysis.voteCount, 'vote', 'votes'),
    count(groups.length, 'opinion group', 'opinion groups'),
  ];
  const outcome = OUTCOMES[analysis.outcome];
  const shown =
    points.length < analysis.participantCount
      ? ` Shown are ${points.length.toLocaleString('en')} of them, drawn at random.`
      : '';
  const grey =
    groups.length > 0 && points.some(({ group }) => group === null)
      ? ' Grey dots voted too little to be placed in a group.'
      : '';
  const plot =
    points.length === 0
      ? ''
      : `<figure>
${plotSvg(points, 'Participants by how they vote, each group in its colour')}
<figcaption>Each dot is a participant: the closer two are, the more they voted alike.${shown}${grey}</figcaption>
</figure>`;
  const consensus = (direction: string) =>
    analysis.consensus.filter((it) => it.direction === direction);
  return page(
    topic,
    [
      heading,
      `<p class="facts">${facts.join(' · ')}</p>`,
      outcome === undefined ? '' : `<p class="note">${outcome}</p>`,
      `<div class="overview">`,
      plot,
      `<section class="groups">`,
      ...groups.map(
        (group) => `<article class="group-${group.key}">
<h2><span class="swatch">${groupLetter(group.key)}</span> ${escapeHtml(group.label) || 'Group'}
<small>${count(group.size, 'member', 'members')}</small></h2>
${list(
  group.representatives.map(
    ({ opinion, direction, successCount, voteCount }) =>
      `${verdict(direction, successCount, voteCount)} ${statement(opinion)}`,
  ),
)}
</article>`,
      ),
      '</section>',
      '</div>',
      groups.length === 0
        ? ''
        : '<p class="legend">Bars: <span class="agree">agree</span>, <span>pass</span>, ' +
          '<span class="disagree">disagree</span>.</p>',
      section(
        'Most agree',
        'Opinions that most of all participants agree with, whatever group they are in.',
        [
          ...consensus('agree').map(
            ({ opinion, successCount, voteCount }) =>
              `${verdict('agree', successCount, voteCount)} ${statement(opinion)}${bars(opinion, names)}`,
          ),
        ],
      ),
      section(
        'Most disagree',
        'Opinions that most of all participants disagree with, whatever group they are in.',
        [
          ...consensus('disagree').map(
            ({ opinion, successCount, voteCount }) =>
              `${verdict('disagree', successCount, voteCount)} ${statement(opinion)}${bars(opinion, names)}`,
          ),
        ],
      ),
      section(
        'All groups agree',
        'Opinions that most of every group agree with.',
        lists.agreed.map((opinion) => `${statement(opinion)}${bars(opinion, names)}`),
      ),
      section(
        'Divisive',
        'Opinions that most of one group agree with and most of another disagree with.',
        lists.divisive.map((opinion) => `${statement(opinion)}${bars(opinion, names)}`),
      ),
      `<p class="note">Votes until <time datetime="${analysis.readAt}">${analysis.readAt
        .slice(0, 19)
        .replace('T', ' ')} UTC</time>.</p>`,
    ].join('\n'),
  );
}

function paragraphs(text: string): string {
  return text
    .split(/\n\s*\n/)
    .filter((part) => part.trim() !== '')
    .map((part) => `<p>${escapeHtml(part.trim())}</p>`)
    .join('\n');
}

const list = (items: string[]) =>
  items.length === 0 ? '' : `<ol>${items.map((item) => `<li>${item}</li>`).join('\n')}</ol>`;

function section(title: string, explanation: string, items: string[]): string {
  if (items.length === 0) return '';
  const id = title.toLowerCase().replaceAll(' ', '-');
  return `<section id="${id}"><h2>${title}</h2>\n<p>${explanation}</p>\n${list(items)}</section>`;
}

const statement = (opinion: Opinion) => `<q>${escapeHtml(opinion.content)}</q>`;

function verdict(direction: string, successes: number, votes: number): string {
  const share = votes === 0 ? 0 : Math.round((100 * successes) / votes);
  const word = direction === 'agree' ? 'agree' : 'disagree';
  return `<span class="verdict ${word}">${share} % ${word}</span>`;
}

/** How each group voted, as a bar of a hundred units: agreed, passed, disagreed. */
function bars({ groupVotes }: Opinion, names: ReadonlyMap<number, string>): string {
  if (groupVotes.length === 0) return '';
  return `<ul class="bars">${groupVotes
    .map((votes) => `<li class="group-${votes.groupKey}">${bar(votes, names)}</li>`)
    .join('')}</ul>`;
}

function bar(
  { groupKey, agreeCount, disagreeCount, passCount }: GroupVotes,
  names: ReadonlyMap<number, string>,
): string {
  const all = agreeCount + disagreeCount + passCount;
  const share = (n: number) => (all === 0 ? 0 : Math.round((1000 * n) / all) / 10);
  const title = escapeHtml(
    `${names.get(groupKey) || groupLetter(groupKey)}: ${agreeCount} agree, ` +
      `${disagreeCount} disagree, ${passCount} pass`,
  );
  return (
    `<span class="swatch">${groupLetter(groupKey)}</span>` +
    `<svg viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label="${title}">` +
    `<title>${title}</title>` +
    `<rect class="pass" width="100" height="4"/>` +
    `<rect class="agree" width="${share(agreeCount)}" height="4"/>` +
    `<rect class="disagree" x="${100 - share(disagreeCount)}" ` +
    `width="${share(disagreeCount)}" height="4"/></svg>`
  );
}
