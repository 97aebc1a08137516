/*
 * Imports a Polis export into the community backend.
 *
 * Everything happens in one transaction: the files are copied into temporary tables while they are
 * read, and a few statements over whole sets then bring the conversation to the state of the
 * export. The triggers of the tables fire as for any other write, so the counters follow.
 *
 * What came from the export is found again by its external id, so the same export changes nothing
 * the second time, and a later one carries over what differs: new statements and votes come in,
 * votes that are gone are cancelled, statements that are gone are deleted. What was decided here in
 * the meantime stays: an opinion moderated or deleted here, an account that was deleted, the votes
 * of people who are here.
 */
import { Socket } from 'node:net';
import pg from 'pg';
import { copyRows } from './copy.ts';
import {
  type PolisSummary,
  readParticipants,
  readStatements,
  readSummary,
  readVotes,
} from './polis-rows.ts';
import { openPolisSource, type PolisLimits, type PolisSource } from './polis-source.ts';
import { type Progress, silent } from './progress.ts';

/** The answer of an import: what the export holds, whether it was new here or not. */
export interface PolisImportResult {
  conversationId: number;
  /** Participants with at least one vote; those who only wrote have an account and are not here. */
  participants: number;
  /** All statements, the hidden ones too. */
  opinions: number;
  /** Latest votes, passes too: one for each participant and statement. */
  votes: number;
  seconds: number;
}

export interface PolisImportOptions {
  progress?: Progress;
  limits?: PolisLimits;
  /** Stops the import; nothing is changed then. */
  signal?: AbortSignal;
}

/** The export is in order, but what it holds cannot be brought in here. */
export class PolisImportError extends Error {
  override name = 'PolisImportError';

  /** For a person: nothing but the message, no stack. */
  format(): string {
    return this.message;
  }
}

/** As in the check constraint of app_public.opinion. */
const MAX_STATEMENT_CHARACTERS = 2000;

/**
 * Imports the export at `path` (see openPolisSource) and returns what it holds.
 *
 * `connectionString` is the owner's. Throws PolisFormatError when the export is malformed,
 * PolisImportError when its conversation was deleted here, the signal's reason when it was stopped,
 * an error of Postgres when the database refuses; each leaves the database as it was.
 */
export async function importPolis(
  connectionString: string,
  path: string,
  { progress = silent, limits, signal }: PolisImportOptions = {},
): Promise<PolisImportResult> {
  const started = performance.now();
  const source = await openPolisSource(path, limits);
  try {
    signal?.throwIfAborted();
    const imported = await connected(connectionString, signal, (client) =>
      importSource(client, source, progress),
    );
    return { ...imported, seconds: Math.round(performance.now() - started) / 1000 };
  } finally {
    progress.stop();
    await source.close();
  }
}

/** Runs `work` on a connection of its own, which the signal cuts at any moment. */
async function connected<T>(
  connectionString: string,
  signal: AbortSignal | undefined,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const socket = new Socket();
  const client = new pg.Client({
    connectionString,
    application_name: 'millrace import:polis',
    stream: () => socket,
  });
  // A connection that breaks between two statements is reported by the next one.
  client.on('error', () => undefined);
  const cut = () => socket.destroy();
  signal?.addEventListener('abort', cut);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cut);
    await client.end().catch(() => undefined);
  }
}

/** An error on the way leaves the transaction open: the end of the connection rolls it back. */
async function importSource(
  client: pg.Client,
  source: PolisSource,
  progress: Progress,
): Promise<Omit<PolisImportResult, 'seconds'>> {
  progress.step(`Reading ${source.summary.name}`);
  const summary = await readSummary(source.summary);
  await client.query('begin');
  await client.query(`
    set local role app_owner;
    set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    set local work_mem = '64MB'
  `);
  // Two imports of one conversation: the second finds what the first has made.
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [summary.externalId]);
  await stage(client, source, summary, progress);

  progress.step('Bringing up to date', UPDATES.length);
  const importer = await importerAccount(client, summary);
  const conversation = await currentConversation(client, summary, importer);
  for (const [done, { text, values }] of UPDATES.entries()) {
    await client.query(text, values({ conversation, importer, externalId: summary.externalId }));
    progress.update(done + 1);
  }
  const { rows } = await client.query<{ participants: number; opinions: number; votes: number }>(`
    select
      (select count(distinct voter)::int from pg_temp.polis_choice) as participants,
      (select count(*)::int from pg_temp.polis_statement) as opinions,
      (select count(*)::int from pg_temp.polis_choice) as votes
  `);
  await client.query('commit');
  return { conversationId: Number(conversation), ...(rows[0] as (typeof rows)[0]) };
}

/** Reads the files into temporary tables, which the transaction's end drops. */
async function stage(
  client: pg.Client,
  source: PolisSource,
  summary: PolisSummary,
  progress: Progress,
): Promise<void> {
  await client.query(`
    create temporary table polis_statement (
      id integer primary key, author integer not null, created_at timestamptz not null,
      hidden boolean not null, seed boolean not null, content text not null, opinion_id bigint
    ) on commit drop;
    create temporary table polis_vote (
      line integer not null, statement integer not null, voter integer not null,
      choice app_public.vote_choice not null, cast_at timestamptz not null
    ) on commit drop;
    create temporary table polis_choice (
      like pg_temp.polis_vote, primary key (statement, voter)
    ) on commit drop;
    create temporary table polis_cast (
      opinion_id bigint not null, voter_id bigint not null,
      choice app_public.vote_choice not null, cast_at timestamptz not null,
      primary key (opinion_id, voter_id)
    ) on commit drop;
    create temporary table polis_person (
      number integer primary key, since timestamptz not null, account_id bigint not null,
      is_new boolean not null, is_deleted boolean not null
    ) on commit drop
  `);

  const statements = new Set<number>();
  const readStep = (name: string, total: number) => {
    let read = 0;
    progress.step(`Reading ${name}`, total);
    return (bytes: number) => {
      read += bytes;
      progress.update(read);
    };
  };

  async function* statementRows() {
    const onBytes = readStep(source.comments.name, source.comments.bytes);
    const options = { onBytes, maxCharacters: MAX_STATEMENT_CHARACTERS };
    for await (const { id, author, createdAt, hidden, seed, content } of readStatements(
      source.comments,
      options,
    )) {
      statements.add(id);
      yield [id, author, new Date(createdAt), hidden, seed, content];
    }
  }
  await copyRows(
    client,
    'pg_temp.polis_statement (id, author, created_at, hidden, seed, content)',
    statementRows(),
  );

  async function* voteRows() {
    const onBytes = readStep(source.votes.name, source.votes.bytes);
    for await (const vote of readVotes(source.votes, statements, { onBytes })) {
      yield [vote.line, vote.statement, vote.voter, vote.choice, new Date(vote.castAt)];
    }
  }
  await copyRows(
    client,
    'pg_temp.polis_vote (line, statement, voter, choice, cast_at)',
    voteRows(),
  );

  await client.query(`
    insert into pg_temp.polis_choice (line, statement, voter, choice, cast_at)
      select distinct on (statement, voter) line, statement, voter, choice, cast_at
      from pg_temp.polis_vote
      order by statement, voter, cast_at desc, line desc;
    analyze pg_temp.polis_statement, pg_temp.polis_vote, pg_temp.polis_choice
  `);
  await compare(client, source, summary, statements, readStep, progress);
}

/**
 * Compares the votes with what the rest of the export says of them and notes what differs: the
 * votes count, but a file cut at the end of a row can be seen in no other way.
 */
async function compare(
  client: pg.Client,
  source: PolisSource,
  summary: PolisSummary,
  statements: ReadonlySet<number>,
  readStep: (name: string, total: number) => (bytes: number) => void,
  progress: Progress,
): Promise<void> {
  const { rows } = await client.query<{ voter: number; votes: number }>(
    'select voter, count(*)::int as votes from pg_temp.polis_choice group by voter',
  );
  const differing: string[] = [];
  const differ = (what: string, said: number | null, found: number) => {
    if (said !== null && said !== found) differing.push(`${said} ${what}, there are ${found}`);
  };
  differ('voters', summary.voters, rows.length);
  differ('comments', summary.comments, statements.size);
  if (differing.length > 0) {
    progress.note(`${source.summary.name} speaks of ${differing.join('; of ')}`);
  }
  if (source.participants === null) return;

  const voted = new Map(rows.map(({ voter, votes }) => [voter, votes]));
  const onBytes = readStep(source.participants.name, source.participants.bytes);
  let others = 0;
  for await (const { id, votes } of readParticipants(source.participants, statements, {
    onBytes,
  })) {
    if ((voted.get(id) ?? 0) !== votes) others += 1;
    voted.delete(id);
  }
  others += voted.size;
  if (others > 0) {
    progress.note(
      `${source.participants.name} has other numbers of votes than ${source.votes.name} ` +
        `for ${others} ${others === 1 ? 'participant' : 'participants'}; the latter counts`,
    );
  }
}

/** The account that owns what is imported of this conversation and stands for its moderators. */
async function importerAccount(client: pg.Client, summary: PolisSummary): Promise<string> {
  const externalId = `${summary.externalId}@import`;
  const found = await client.query<{ id: string }>(
    'select account_id as id from app_private.account_origin where external_id = $1',
    [externalId],
  );
  if (found.rows[0] !== undefined) return found.rows[0].id;
  const made = await client.query<{ id: string }>(
    `insert into app_public.account (display_name, created_at)
      select 'Polis import', least(
        (select min(created_at) from pg_temp.polis_statement),
        (select min(cast_at) from pg_temp.polis_vote), now()
      )
      returning id`,
  );
  const { id } = made.rows[0] as { id: string };
  await client.query(
    'insert into app_private.account_origin (account_id, external_id) values ($1, $2)',
    [id, externalId],
  );
  return id;
}

/** The conversation's id, with its topic and description as the export has them. */
async function currentConversation(
  client: pg.Client,
  { externalId, topic, description }: PolisSummary,
  importer: string,
): Promise<string> {
  const found = await client.query<{ id: string; deleted: boolean }>(
    `select c.id, c.deleted_at is not null as deleted
      from app_private.conversation_origin o
      join app_public.conversation c on c.id = o.conversation_id
      where o.external_id = $1`,
    [externalId],
  );
  const [existing] = found.rows;
  if (existing?.deleted) {
    throw new PolisImportError(
      `this export's conversation (${externalId}) is here as conversation ${existing.id} and was ` +
        'deleted; it is not brought back',
    );
  }
  if (existing !== undefined) {
    await client.query(
      `update app_public.conversation set topic = $2, description = $3
        where id = $1 and (topic, description) is distinct from ($2, $3)`,
      [existing.id, topic, description],
    );
    return existing.id;
  }
  const made = await client.query<{ id: string }>(
    `insert into app_public.conversation (owner_id, topic, description, created_at)
      select $1, $2, $3, a.created_at from app_public.account a where a.id = $1
      returning id`,
    [importer, topic, description],
  );
  const { id } = made.rows[0] as { id: string };
  await client.query(
    'insert into app_private.conversation_origin (conversation_id, external_id) values ($1, $2)',
    [id, externalId],
  );
  return id;
}

interface Keys {
  conversation: string;
  importer: string;
  externalId: string;
}

/**
 * From the temporary tables to the real ones, in this order. Ids of new rows are taken first, so
 * that a row and its origin are written without asking which row got which id. Statement n of a
 * conversation has the external id `<conversation>/n`, participant n `<conversation>#n`, the import
 * itself `<conversation>@import`.
 */
const UPDATES: { text: string; values: (keys: Keys) => string[] }[] = [
  // Who deletes their account meanwhile waits for the import, and cancels these votes too.
  {
    text: `
      select from app_private.account_origin origin
      join app_public.account account on account.id = origin.account_id
      where starts_with(origin.external_id, $1 || '#')
      order by account.id
      for key share of account`,
    values: ({ externalId }) => [externalId],
  },
  {
    text: `
      insert into pg_temp.polis_person (number, since, account_id, is_new, is_deleted)
      select
        person.number, person.since,
        coalesce(
          origin.account_id, nextval(pg_get_serial_sequence('app_public.account', 'id'))
        ),
        origin.account_id is null, account.deleted_at is not null
      from (
        select number, min(since) as since
        from (
          select voter as number, min(cast_at) as since from pg_temp.polis_vote group by voter
          union all
          select author, min(created_at) from pg_temp.polis_statement group by author
        ) as seen
        group by number
        order by number
      ) as person
      left join app_private.account_origin origin
        on origin.external_id = $1 || '#' || person.number
      left join app_public.account account on account.id = origin.account_id`,
    values: ({ externalId }) => [externalId],
  },
  {
    text: `
      insert into app_public.account (id, display_name, is_guest, created_at)
        overriding system value
      select account_id, 'Participant ' || number, true, since
      from pg_temp.polis_person where is_new order by account_id`,
    values: () => [],
  },
  {
    text: `
      insert into app_private.account_origin (account_id, external_id)
      select account_id, $1 || '#' || number from pg_temp.polis_person where is_new`,
    values: ({ externalId }) => [externalId],
  },
  {
    text: `
      update pg_temp.polis_statement statement set opinion_id = origin.opinion_id
      from app_private.opinion_origin origin
      where origin.external_id = $1 || '/' || statement.id`,
    values: ({ externalId }) => [externalId],
  },
  // Later opinions have greater ids. Who deleted their account here writes nothing new.
  {
    text: `
      with numbered as (
        select id, nextval(pg_get_serial_sequence('app_public.opinion', 'id')) as opinion_id
        from (
          select statement.id
          from pg_temp.polis_statement statement
          join pg_temp.polis_person person on person.number = statement.author
          where statement.opinion_id is null and not person.is_deleted
          order by statement.created_at, statement.id
        ) as ordered
      ),
      added as (
        insert into app_public.opinion
          (id, conversation_id, author_id, content, is_seed, moderation, created_at)
          overriding system value
        select
          numbered.opinion_id, $1, person.account_id, statement.content, statement.seed,
          case when statement.hidden then 'hidden'::app_public.moderation_action end,
          statement.created_at
        from numbered
        join pg_temp.polis_statement statement using (id)
        join pg_temp.polis_person person on person.number = statement.author
      ),
      moderated as (
        insert into app_public.opinion_moderation
          (opinion_id, moderator_id, action, reason, created_at)
        select numbered.opinion_id, $2, 'hidden', 'Rejected where it was imported from.',
          statement.created_at
        from numbered
        join pg_temp.polis_statement statement using (id)
        where statement.hidden
      ),
      named as (
        insert into app_private.opinion_origin (opinion_id, external_id, hidden)
        select numbered.opinion_id, $3 || '/' || statement.id, statement.hidden
        from numbered
        join pg_temp.polis_statement statement using (id)
      )
      update pg_temp.polis_statement statement set opinion_id = numbered.opinion_id
      from numbered where numbered.id = statement.id`,
    values: ({ conversation, importer, externalId }) => [conversation, importer, externalId],
  },
  {
    text: `
      update app_public.opinion opinion
      set content = statement.content, is_seed = statement.seed
      from pg_temp.polis_statement statement
      where opinion.id = statement.opinion_id
        and (opinion.content, opinion.is_seed)
          is distinct from (statement.content, statement.seed)`,
    values: () => [],
  },
  // Gone from the export: deleted here; there again: restored, unless it was deleted here before.
  {
    text: `
      with gone as (
        update app_public.opinion opinion set deleted_at = now()
        from app_private.opinion_origin origin
        where opinion.conversation_id = $1 and opinion.deleted_at is null
          and origin.opinion_id = opinion.id
          and not exists (
            select from pg_temp.polis_statement statement
            where statement.opinion_id = opinion.id
          )
        returning opinion.id
      )
      update app_private.opinion_origin origin set absent_since = now()
      from gone where origin.opinion_id = gone.id`,
    values: ({ conversation }) => [conversation],
  },
  {
    text: `
      with back as (
        update app_private.opinion_origin origin set absent_since = null
        from pg_temp.polis_statement statement
        join pg_temp.polis_person person on person.number = statement.author
        where origin.opinion_id = statement.opinion_id and origin.absent_since is not null
          and not person.is_deleted
        returning origin.opinion_id
      )
      update app_public.opinion opinion set deleted_at = null
      from back where opinion.id = back.opinion_id`,
    values: () => [],
  },
  // Rejected at the origin since the last import: hidden here unless it is moderated here already.
  {
    text: `
      with changed as (
        update app_private.opinion_origin origin set hidden = true
        from pg_temp.polis_statement statement
        where origin.opinion_id = statement.opinion_id
          and statement.hidden and not origin.hidden
        returning origin.opinion_id
      ),
      moderated as (
        update app_public.opinion opinion set moderation = 'hidden'
        from changed
        where opinion.id = changed.opinion_id and opinion.moderation is null
        returning opinion.id
      )
      insert into app_public.opinion_moderation (opinion_id, moderator_id, action, reason)
      select id, $1, 'hidden', 'Rejected where it was imported from.' from moderated`,
    values: ({ importer }) => [importer],
  },
  // Accepted at the origin since: the import's own decision is withdrawn, any other stands.
  {
    text: `
      with changed as (
        update app_private.opinion_origin origin set hidden = false
        from pg_temp.polis_statement statement
        where origin.opinion_id = statement.opinion_id
          and not statement.hidden and origin.hidden
        returning origin.opinion_id
      ),
      withdrawn as (
        update app_public.opinion_moderation moderation
        set withdrawn_at = now(), withdrawn_by_id = $1
        from changed
        where moderation.opinion_id = changed.opinion_id and moderation.moderator_id = $1
          and moderation.withdrawn_at is null
        returning moderation.opinion_id
      )
      update app_public.opinion opinion set moderation = null
      from withdrawn where opinion.id = withdrawn.opinion_id`,
    values: ({ importer }) => [importer],
  },
  // Joined once, and known to the planner: the votes are far more than everything else.
  {
    text: `
      insert into pg_temp.polis_cast (opinion_id, voter_id, choice, cast_at)
      select statement.opinion_id, person.account_id, choice.choice, choice.cast_at
      from pg_temp.polis_choice choice
      join pg_temp.polis_statement statement on statement.id = choice.statement
      join pg_temp.polis_person person on person.number = choice.voter
      where statement.opinion_id is not null and not person.is_deleted
      order by statement.opinion_id, person.account_id`,
    values: () => [],
  },
  { text: 'analyze pg_temp.polis_cast', values: () => [] },
  // Only what differs: a row that the conflict leaves as it is would be locked, and so written.
  {
    text: `
      insert into app_public.opinion_vote
        (opinion_id, voter_id, conversation_id, choice, cast_at)
      select present.opinion_id, present.voter_id, $1, present.choice, present.cast_at
      from pg_temp.polis_cast present
      where not exists (
        select from app_public.opinion_vote vote
        where vote.opinion_id = present.opinion_id and vote.voter_id = present.voter_id
          and vote.choice = present.choice and vote.cast_at = present.cast_at
          and vote.cancelled_at is null
      )
      order by present.opinion_id, present.voter_id
      on conflict (opinion_id, voter_id) do update
        set choice = excluded.choice, cast_at = excluded.cast_at, cancelled_at = null`,
    values: ({ conversation }) => [conversation],
  },
  // Votes of the export's participants that it has no more. The votes it lacks are found first, most
  // of them of other people: statistics of tables that were just filled mislead a join of all.
  {
    text: `
      with absent as materialized (
        select vote.opinion_id, vote.voter_id
        from app_public.opinion_vote vote
        where vote.conversation_id = $1 and vote.cancelled_at is null
          and not exists (
            select from pg_temp.polis_cast present
            where present.opinion_id = vote.opinion_id and present.voter_id = vote.voter_id
          )
      )
      update app_public.opinion_vote vote set cancelled_at = now()
      from absent
      join app_private.account_origin voter on voter.account_id = absent.voter_id
      where vote.opinion_id = absent.opinion_id and vote.voter_id = absent.voter_id
        and starts_with(voter.external_id, $2 || '#')`,
    values: ({ conversation, externalId }) => [conversation, externalId],
  },
];
