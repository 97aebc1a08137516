import type { DemoPlan } from './demo-community.ts';
import { copyItems, type Loader, time } from './demo-loader.ts';

/** Copies conversations, opinions and votes; returns how many votes there were. */
export async function loadDeliberation(
  loader: Loader,
  plan: DemoPlan,
  account: (index: number) => string,
): Promise<number> {
  const conversationIds = await idsInTime(loader, 'app_public.conversation', plan.conversations);
  const opinionIds = await idsInTime(loader, 'app_public.opinion', plan.opinions);
  const conversation = (index: number) => conversationIds[index] as string;
  const opinion = (index: number) => opinionIds[index] as string;
  const moderator = account(plan.moderator);

  await copyItems(
    loader,
    'Conversations',
    'app_public.conversation ' +
      '(id, owner_id, topic, description, created_at, locked_at, closed_at)',
    plan.conversations,
    plan.conversations.length,
    (it, index) => [
      conversation(index),
      account(it.owner),
      it.title,
      it.description,
      time(it.createdAt),
      time(it.lockedAt),
      time(it.closedAt),
    ],
  );
  const decisions = plan.conversations.flatMap(({ owner, lockedAt, closedAt }, index) => [
    ...(lockedAt === null ? [] : [[conversation(index), moderator, 'locked', time(lockedAt)]]),
    ...(closedAt === null ? [] : [[conversation(index), account(owner), 'closed', time(closedAt)]]),
  ]);
  await copyItems(
    loader,
    'Conversations',
    'app_public.conversation_moderation (conversation_id, moderator_id, action, created_at)',
    decisions,
    decisions.length,
    (row) => row,
  );

  await copyItems(
    loader,
    'Opinions',
    'app_public.opinion ' +
      '(id, conversation_id, author_id, content, is_seed, moderation, created_at, deleted_at)',
    plan.opinions,
    plan.opinions.length,
    (it, index) => [
      opinion(index),
      conversation(it.conversation),
      account(it.author),
      it.content,
      it.seed,
      it.moderation?.withdrawnAt === null ? it.moderation.action : null,
      time(it.createdAt),
      time(it.deletedAt),
    ],
  );
  const moderations = plan.opinions.flatMap(({ moderation: it }, index) =>
    it === null ? [] : [{ ...it, opinion: index }],
  );
  await copyItems(
    loader,
    'Opinions',
    'app_public.opinion_moderation (opinion_id, moderator_id, action, reason, created_at, ' +
      'withdrawn_at, withdrawn_by_id)',
    moderations,
    moderations.length,
    (it) => [
      opinion(it.opinion),
      moderator,
      it.action,
      it.action === 'moved' ? 'Says the same as another.' : 'Attacks a person.',
      time(it.at),
      time(it.withdrawnAt),
      it.withdrawnAt === null ? null : moderator,
    ],
  );

  return await copyItems(
    loader,
    'Votes',
    'app_public.opinion_vote ' +
      '(opinion_id, voter_id, conversation_id, choice, cast_at, cancelled_at)',
    plan.votes(),
    plan.expectedVotes,
    (it) => [
      opinion(it.opinion),
      account(it.voter),
      conversation(it.conversation),
      it.choice,
      time(it.castAt),
      time(it.cancelledAt),
    ],
  );
}

/** New ids of a table for the items, increasing with `createdAt`, in the items' order. */
export async function idsInTime(
  { client }: Loader,
  table: string,
  items: { createdAt: number }[],
): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `select nextval(pg_get_serial_sequence($1, 'id')) as id from generate_series(1, $2::int)`,
    [table, items.length],
  );
  const order = items.map((_, index) => index);
  const at = (index: number) => (items[index] as { createdAt: number }).createdAt;
  order.sort((a, b) => at(a) - at(b) || a - b);
  const ids = new Array<string>(items.length);
  for (const [rank, index] of order.entries()) ids[index] = (rows[rank] as { id: string }).id;
  return ids;
}
