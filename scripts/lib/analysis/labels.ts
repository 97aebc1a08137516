import type { GroupRepresentatives, Representative } from './representative.ts';
import { type GroupCounts, probability } from './statistics.ts';

const WORDS = 3;
/** Statements that are read: those with the most votes, and the representative ones. */
const STATEMENTS_READ = 400;
/** Draws scores of words that stand in few statements towards zero. */
const SHRINKAGE = 2;
/** What a statement still counts for when a word chosen before stands in it. */
const COVERED = 0.25;
const MAX_CHARACTERS = 80;
/** Longer words say more, up to here. */
const MAX_LENGTH = 8;
/** Scripts that write in one character what others write in about three. */
const DENSE_SCRIPT = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/**
 * A name for every group: up to three words that stand in its representative statements and tell it
 * from the others; '' when no word does.
 *
 * Which words do is learnt from votes, not from a list of stop words, so it works in any language: a
 * word of length l scores √l · Σ_j (d_j − d̄) / √(n + 2) over the n statements j that contain it, where
 * d_j is the group's probability to agree with j less that of all others, and d̄ its mean over all
 * statements. A word that stands everywhere cancels out; a word of one statement counts less than
 * one that keeps coming back where the group agrees. The next word is looked for mainly in
 * statements that the words before it do not cover. A group that is represented by disagreeing only
 * is named by what it disagrees with, after the sign ≠.
 *
 * Texts are cut into words by Unicode's rules and, for Chinese, Japanese or Thai, by ICU's
 * dictionaries (Intl.Segmenter).
 *
 * @param texts the text of each column.
 */
export function groupLabels(
  groups: GroupRepresentatives[],
  counts: GroupCounts,
  together: GroupCounts,
  texts: readonly string[],
): string[] {
  const read = statementsToRead(groups, together);
  const words = new Map<number, Map<string, string>>();
  for (const column of read) words.set(column, wordsOf(texts[column] ?? ''));
  const used = new Set<string>();
  return groups.map(({ selected }, group) => {
    const agreed = selected.filter(({ direction }) => direction === 'agree');
    const own = agreed.length > 0 ? agreed : selected;
    const lead = leads(counts, together, group, agreed.length > 0 ? 'agree' : 'disagree');
    const chosen = distinctiveWords(own, words, read, lead, used);
    for (const { word } of chosen) used.add(word);
    const label = chosen.map(({ shown }) => shown).join(', ');
    return shorten(label === '' || agreed.length > 0 ? label : `≠ ${label}`);
  });
}

/** The columns with the most votes, and all representative ones; ascending. */
function statementsToRead(groups: GroupRepresentatives[], together: GroupCounts): number[] {
  const byVotes = Array.from({ length: together.columns }, (_, column) => column).sort(
    (a, b) => together.votes[b]! - together.votes[a]! || a - b,
  );
  const read = new Set(byVotes.slice(0, STATEMENTS_READ));
  for (const { selected } of groups) for (const { column } of selected) read.add(column);
  return [...read].sort((a, b) => a - b);
}

/** d_j: how much likelier the group casts such a vote on each statement than all others do. */
function leads(
  counts: GroupCounts,
  together: GroupCounts,
  group: number,
  direction: Representative['direction'],
): Float64Array {
  const of = direction === 'agree' ? 'agrees' : 'disagrees';
  return Float64Array.from({ length: counts.columns }, (_, column) => {
    const at = group * counts.columns + column;
    const own = counts[of][at]!;
    const votes = counts.votes[at]!;
    const others = together[of][column]! - own;
    return probability(own, votes) - probability(others, together.votes[column]! - votes);
  });
}

interface Word {
  word: string;
  shown: string;
}

function distinctiveWords(
  representatives: Representative[],
  words: Map<number, Map<string, string>>,
  read: number[],
  lead: Float64Array,
  used: ReadonlySet<string>,
): Word[] {
  const candidates = new Map<string, string>();
  for (const { column } of representatives) {
    for (const [word, shown] of words.get(column) ?? []) {
      if (!used.has(word) && !candidates.has(word)) candidates.set(word, shown);
    }
  }
  const statements = new Map<string, number[]>();
  for (const column of read) {
    for (const word of words.get(column)?.keys() ?? []) {
      if (!candidates.has(word)) continue;
      const known = statements.get(word);
      if (known === undefined) statements.set(word, [column]);
      else known.push(column);
    }
  }
  const mean = read.reduce((sum, column) => sum + lead[column]!, 0) / Math.max(1, read.length);
  const covered = new Set<number>();
  const score = (word: string) => {
    const columns = statements.get(word) ?? [];
    let sum = 0;
    for (const column of columns) {
      sum += (lead[column]! - mean) * (covered.has(column) ? COVERED : 1);
    }
    return (lengthWeight(word) * sum) / Math.sqrt(columns.length + SHRINKAGE);
  };
  const chosen: Word[] = [];
  while (chosen.length < WORDS) {
    let best: Word | null = null;
    let most = 0;
    for (const [word, shown] of candidates) {
      const value = score(word);
      if (value > most) {
        most = value;
        best = { word, shown };
      }
    }
    if (best === null) break;
    chosen.push(best);
    candidates.delete(best.word);
    for (const column of statements.get(best.word) ?? []) covered.add(column);
  }
  return chosen;
}

/** The root of the word's length: short words are mostly articles, pronouns, auxiliaries. */
function lengthWeight(word: string): number {
  const length = [...word].length * (DENSE_SCRIPT.test(word) ? 3 : 1);
  return Math.sqrt(Math.min(MAX_LENGTH, length));
}

const segmenter = new Intl.Segmenter('und', { granularity: 'word' });

/** The words of a text that can say something, in lower case, each with how it is written there. */
function wordsOf(text: string): Map<string, string> {
  const words = new Map<string, string>();
  for (const { segment, isWordLike } of segmenter.segment(text.normalize('NFKC'))) {
    if (!isWordLike) continue;
    // Of l'impôt the word is what follows the apostrophe; don't and it's are none.
    const shown = segment.split(/['’]/).at(-1) ?? '';
    const length = [...shown].length;
    if (!/\p{L}/u.test(shown) || length < (DENSE_SCRIPT.test(shown) ? 2 : 3)) continue;
    const word = shown.toLowerCase();
    if (!words.has(word)) words.set(word, shown);
  }
  return words;
}

function shorten(label: string): string {
  const characters = [...label];
  return characters.length <= MAX_CHARACTERS
    ? label
    : `${characters.slice(0, MAX_CHARACTERS - 1).join('')}…`;
}
