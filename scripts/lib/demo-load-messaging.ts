import { copyItems, type Loader, takeIds, time } from './demo-loader.ts';
import type { MessagingPlan } from './demo-messaging.ts';

/** Copies blocks, direct conversations, their members, messages and what is unread. */
export async function loadMessaging(
  loader: Loader,
  plan: MessagingPlan,
  account: (index: number) => string,
): Promise<void> {
  const { client } = loader;
  const { sizes } = plan;
  const conversation = await takeIds(
    client,
    'app_public.direct_conversation',
    sizes.directConversations,
  );
  const message = await takeIds(client, 'app_public.direct_message', sizes.directMessages);

  await copyItems(
    loader,
    'Messages',
    'app_public.block (blocker_id, blocked_id, created_at)',
    plan.blocks,
    plan.blocks.length,
    (it) => [account(it.blocker), account(it.blocked), time(it.createdAt)],
  );
  await copyItems(
    loader,
    'Messages',
    'app_public.direct_conversation ' +
      '(id, created_by_id, first_account_id, second_account_id, title, created_at)',
    plan.conversations(),
    sizes.directConversations,
    (it, index) => {
      const [first = null, second = null] =
        it.members.length === 2 && it.title === '' ? inOrder(it.members.map(account)) : [];
      return [
        conversation(index),
        account(it.creator),
        first,
        second,
        it.title,
        time(it.createdAt),
      ];
    },
  );
  await copyItems(
    loader,
    'Messages',
    'app_public.direct_member ' +
      '(conversation_id, account_id, joined_at, left_at, last_read_message_id)',
    plan.members(),
    sizes.directMembers,
    (it) => [
      conversation(it.conversation),
      account(it.account),
      time(it.joinedAt),
      time(it.leftAt),
      it.lastRead === null ? null : message(it.lastRead),
    ],
  );
  await copyItems(
    loader,
    'Messages',
    'app_public.direct_message ' +
      '(conversation_id, id, sender_id, content, created_at, edited_at, deleted_at)',
    plan.messages(),
    sizes.directMessages,
    (it, index) => [
      conversation(it.conversation),
      message(index),
      account(it.sender),
      it.content,
      time(it.createdAt),
      time(it.editedAt),
      time(it.deletedAt),
    ],
  );
  await copyItems(
    loader,
    'Messages',
    'app_hidden.direct_unread (account_id, conversation_id, message_id)',
    unread(),
    0,
    (it) => it,
  );

  function* unread(): Generator<[string, number, number]> {
    let index = 0;
    for (const it of plan.messages()) {
      for (const reader of it.unreadBy) {
        yield [account(reader), conversation(it.conversation), message(index)];
      }
      index += 1;
    }
  }
}

/** Two ids, the smaller one first. */
function inOrder(ids: string[]): string[] {
  return ids.sort((a, b) => Number(BigInt(a) - BigInt(b)));
}
