import type pg from 'pg';
import { analyze } from '../../../scripts/lib/analysis/analyze.ts';
import { type AnalysisRun, runAnalysis } from '../../../scripts/lib/analysis-run.ts';
import { createAccount, one } from '../../deliberation/community.ts';
import type { TestDatabase } from '../../lib/database.ts';
import type { Vote } from './dense.ts';

/* Conversations in a database, and analyses of them at once. */

export interface MadeConversation {
  id: number;
  owner: string;
  /** Account of each participant, id of each opinion, by their numbers in the votes. */
  accounts: Map<number, string>;
  opinions: Map<number, string>;
}

const CHOICES = { 1: 'agree', '-1': 'disagree', 0: 'pass' } as const;

/** Puts votes into a new conversation, with their participants and statements. */
export async function makeConversation(db: TestDatabase, votes: Vote[]): Promise<MadeConversation> {
  const owner = await createAccount(db, 'Olga');
  const { id } = await one<{ id: string }>(
    db.pool,
    "insert into app_public.conversation (owner_id, topic) values ($1, 'Trees') returning id",
    [owner],
  );
  const made = { id: Number(id), owner, accounts: new Map(), opinions: new Map() };
  await addVotes(db.pool, made, votes);
  return made;
}

/** More votes; new participants and statements are made. */
export async function addVotes(
  client: pg.Pool | pg.ClientBase,
  conversation: MadeConversation,
  votes: Vote[],
): Promise<void> {
  const { id, owner, accounts, opinions } = conversation;
  for (const { participant, statement } of votes) {
    if (!accounts.has(participant)) {
      const { rows } = await client.query(
        'insert into app_public.account (display_name) values ($1) returning id',
        [`Participant ${participant}`],
      );
      accounts.set(participant, rows[0].id);
    }
    if (!opinions.has(statement)) {
      const { rows } = await client.query(
        `insert into app_public.opinion (conversation_id, author_id, content)
        values ($1, $2, $3) returning id`,
        [id, owner, `Statement ${statement} about ${statement % 2 === 0 ? 'birches' : 'oaks'}`],
      );
      opinions.set(statement, rows[0].id);
    }
  }
  await client.query(
    `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
    select o, v, $1, c from unnest($2::bigint[], $3::bigint[], $4::app_public.vote_choice[])
      u (o, v, c)
    on conflict (opinion_id, voter_id) do update
      set choice = excluded.choice, cast_at = clock_timestamp(), cancelled_at = null`,
    [
      id,
      votes.map(({ statement }) => opinions.get(statement)),
      votes.map(({ participant }) => accounts.get(participant)),
      votes.map(({ value }) => CHOICES[value]),
    ],
  );
}

/** Analyses and publishes here and now; whatever shows results is brought up to date. */
export async function analyzeNow(
  db: TestDatabase,
  conversationId: number,
  keep = 3,
): Promise<AnalysisRun> {
  const run = await runAnalysis(db.pool, conversationId, { compute: analyze, keep });
  if (run === null) throw new Error(`there is no conversation ${conversationId}`);
  await db.pool.query("select millrace.run_now('app_public.opinion_analysis')");
  return run;
}
