/*
 * The ways to count votes that are compared. Each starts from the migrated database without any
 * derivation and adds its own; `setUp` runs as app_owner.
 */

export const VARIANTS = [
  'bare',
  'oneCounter',
  'allCounters',
  'rowTrigger',
  'queueUpsert',
  'keyedJob',
] as const;

export type Variant = (typeof VARIANTS)[number];

interface VariantDefinition {
  description: string;
  /** SQL of the variant; null keeps the declarations of db/derived as they are. */
  setUp: string | null;
  /** Whether the ticker runs: only where something is declared. */
  ticker: boolean;
}

const triggerOn = (body: string) => `
  create schema bench;
  create table bench.queue (conversation_id bigint primary key, votes bigint not null);
  create function bench.tg_vote()
    returns trigger
    language plpgsql
    security definer
    set search_path to ''
  as $$
  begin
    ${body}
    return null;
  end
  $$;
  create trigger _500_bench after insert on app_public.opinion_vote
    for each row execute function bench.tg_vote();`;

export const DEFINITIONS: Record<Variant, VariantDefinition> = {
  bare: { description: 'the insert alone', setUp: '', ticker: false },
  oneCounter: {
    description: 'conversation.vote_count declared',
    setUp: `
      select millrace.counter('app_public.conversation.vote_count',
        source => 'app_public.opinion_vote', key => '{conversation_id}',
        through => 'app_public.opinion', filter => 'source.cancelled_at is null and '
          'via.deleted_at is null and via.moderation is null');`,
    ticker: true,
  },
  allCounters: {
    description: 'all counters of deliberation declared',
    setUp: null,
    ticker: true,
  },
  rowTrigger: {
    description: 'row trigger: set vote_count = vote_count + 1',
    setUp: triggerOn(
      'update app_public.conversation set vote_count = vote_count + 1 where id = new.conversation_id;',
    ),
    ticker: false,
  },
  queueUpsert: {
    description: 'insert … on conflict do update into a queue',
    setUp: triggerOn(
      `insert into bench.queue as q (conversation_id, votes) values (new.conversation_id, 1)
       on conflict (conversation_id) do update set votes = q.votes + 1;`,
    ),
    ticker: false,
  },
  keyedJob: {
    description: 'graphile_worker.add_job(job_key => …); nobody works the queue',
    setUp: triggerOn(
      `perform graphile_worker.add_job('recount',
         pg_catalog.json_build_object('conversation_id', new.conversation_id),
         job_key => 'recount:' || new.conversation_id);`,
    ),
    ticker: false,
  },
};

/** The votes of the hot conversation by which a variant is checked, each as one number. */
export const RECOUNT = 'select count(*) from app_public.opinion_vote where conversation_id = $1';

/** What the variant says the count is, exact at this moment; null where it keeps none. */
export const CLAIMS: Record<Variant, string | null> = {
  bare: null,
  oneCounter: `select app_public.conversation_vote_count(c)
    from app_public.conversation c where c.id = $1`,
  allCounters: `select app_public.conversation_vote_count(c)
    from app_public.conversation c where c.id = $1`,
  rowTrigger: 'select vote_count from app_public.conversation where id = $1',
  queueUpsert: 'select votes from bench.queue where conversation_id = $1',
  keyedJob: null,
};
