import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
let ada: string;
let bob: string;
let cleo: string;
let asAda: string;
let asBob: string;
let asCleo: string;

beforeAll(async () => {
  api = await startTestApi();
});

afterAll(() => api.stop());

beforeEach(async () => {
  [ada, bob, cleo] = [
    await api.account('Ada'),
    await api.account('Bob'),
    await api.account('Cleo'),
  ];
  [asAda, asBob, asCleo] = [await api.as(ada), await api.as(bob), await api.as(cleo)];
});

const LIST = `query ($first: Int, $after: Cursor) {
  myDirectConversations(first: $first, after: $after) {
    nodes {
      conversationId isGroup title lastContent unreadCount activeAt
      otherAccount { displayName viewerHasBlocked }
      lastSender { displayName }
      conversation { isGroup members { nodes { account { displayName } lastReadMessageId } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const START = `mutation ($accounts: [BigInt]!, $title: String, $requestId: UUID) {
  startConversation(input: { accountIds: $accounts, title: $title, requestId: $requestId }) {
    result { id isGroup title otherAccount { displayName } }
  }
}`;

const SEND = `mutation ($conversation: BigInt!, $content: String!, $requestId: UUID) {
  sendMessage(
    input: { conversationId: $conversation, content: $content, requestId: $requestId }
  ) {
    result { id content sender { displayName } conversation { id } createdAt }
  }
}`;

const MESSAGES = `query ($id: BigInt!, $first: Int, $after: Cursor) {
  directConversation(id: $id) {
    messages(first: $first, after: $after) {
      nodes { id content deletedAt editedAt sender { displayName } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

async function start(authorization: string, accounts: string[], title = ''): Promise<string> {
  const answer = await api.query(START, { authorization, variables: { accounts, title } });
  expect(answer.errors).toBeUndefined();
  return answer.data.startConversation.result.id;
}

async function send(authorization: string, conversation: string, content: string) {
  const answer = await api.query(SEND, { authorization, variables: { conversation, content } });
  expect(answer.errors).toBeUndefined();
  return answer.data.sendMessage.result;
}

const list = async (authorization?: string, variables = {}) => {
  const answer = await api.query(LIST, { authorization, variables });
  expect(answer.errors).toBeUndefined();
  return answer.data.myDirectConversations;
};

describe('direct conversations', () => {
  test('are listed with the last message and what is unread, at once', async () => {
    const pair = await start(asAda, [bob]);
    const group = await start(asAda, [bob, cleo], 'Trip');
    await send(asAda, pair, 'Hello');
    await send(asAda, pair, 'Are you there?');
    const { nodes } = await list(asBob);
    expect(nodes).toMatchObject([
      {
        conversationId: pair,
        isGroup: false,
        title: '',
        lastContent: 'Are you there?',
        unreadCount: '2',
        otherAccount: { displayName: 'Ada', viewerHasBlocked: false },
        lastSender: { displayName: 'Ada' },
      },
      {
        conversationId: group,
        isGroup: true,
        title: 'Trip',
        lastContent: null,
        unreadCount: '0',
        otherAccount: null,
        lastSender: null,
        conversation: {
          members: {
            nodes: [
              { account: { displayName: 'Ada' } },
              { account: { displayName: 'Bob' } },
              { account: { displayName: 'Cleo' } },
            ],
          },
        },
      },
    ]);
    expect((await list(asAda)).nodes.map((it: { unreadCount: string }) => it.unreadCount)).toEqual([
      '0',
      '0',
    ]);
    expect((await list(asCleo)).nodes).toHaveLength(1);
  });

  test('are nobody’s list for a visitor, and no conversation for a stranger', async () => {
    const pair = await start(asAda, [bob]);
    await send(asAda, pair, 'Hello');
    expect((await list()).nodes).toEqual([]);
    for (const authorization of [undefined, asCleo]) {
      const answer = await api.query(
        `query ($id: BigInt!) {
          directConversation(id: $id) { id messages { nodes { content } } }
        }`,
        { authorization, variables: { id: pair } },
      );
      expect(answer.errors).toBeUndefined();
      expect(answer.data.directConversation).toBeNull();
    }
    const refused = await api.query(SEND, {
      authorization: asCleo,
      variables: { conversation: pair, content: 'Hi' },
    });
    expect(refused.errors?.[0]).toMatchObject({
      message: 'There is no such conversation',
      extensions: { code: 'MS001', detail: `conversation ${pair}`, hint: expect.any(String) },
    });
  });

  test('are paged by cursors that no new message shifts', async () => {
    const conversations: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const other = await api.account(`Other ${i}`);
      const id = await start(asAda, [other]);
      await send(asAda, id, `Message ${i}`);
      conversations.unshift(id);
    }
    const ids = (page: { nodes: { conversationId: string }[] }) =>
      page.nodes.map(({ conversationId }) => conversationId);
    const first = await list(asAda, { first: 2 });
    expect(ids(first)).toEqual(conversations.slice(0, 2));
    expect(first.pageInfo.hasNextPage).toBe(true);
    // One of the first page moves to the front; the next page stays what it is.
    await send(asAda, conversations[1] as string, 'Once more');
    const second = await list(asAda, { first: 2, after: first.pageInfo.endCursor });
    expect(ids(second)).toEqual(conversations.slice(2, 4));
    const third = await list(asAda, { first: 2, after: second.pageInfo.endCursor });
    expect(ids(third)).toEqual(conversations.slice(4));
    expect(third.pageInfo.hasNextPage).toBe(false);
  });

  test('are one request: settings and one statement, in one round trip', async () => {
    const pair = await start(asAda, [bob]);
    await send(asAda, pair, 'Hello');
    await list(asBob, { first: 10 });
    api.proxy.reset();
    await list(asBob, { first: 10 });
    expect(api.proxy.counts()).toMatchObject({ roundTrips: 1, parses: 0 });
  });
});

describe('messages', () => {
  test('are sent once for a request id, read newest first, in pages', async () => {
    const pair = await start(asAda, [bob]);
    const requestId = randomUUID();
    const variables = { conversation: pair, content: 'First', requestId };
    const [one, again] = [
      await api.query(SEND, { authorization: asAda, variables }),
      await api.query(SEND, { authorization: asAda, variables }),
    ];
    expect(again.data.sendMessage.result).toEqual(one.data.sendMessage.result);
    expect(one.data.sendMessage.result).toMatchObject({
      content: 'First',
      sender: { displayName: 'Ada' },
      conversation: { id: pair },
    });
    await send(asBob, pair, 'Second');
    await send(asAda, pair, 'Third');
    const read = async (after?: string) => {
      const answer = await api.query(MESSAGES, {
        authorization: asBob,
        variables: { id: pair, first: 2, after },
      });
      expect(answer.errors).toBeUndefined();
      return answer.data.directConversation.messages;
    };
    const first = await read();
    expect(first.nodes.map((it: { content: string }) => it.content)).toEqual(['Third', 'Second']);
    const second = await read(first.pageInfo.endCursor);
    expect(second.nodes).toMatchObject([{ content: 'First', sender: { displayName: 'Ada' } }]);
    expect(second.pageInfo.hasNextPage).toBe(false);
  });

  test('are marked as read, changed and deleted', async () => {
    const pair = await start(asAda, [bob]);
    const { id } = await send(asAda, pair, 'Helo');
    const marked = await api.query(
      `mutation ($id: BigInt!) {
        markRead(input: { conversationId: $id }) { result { lastReadMessageId unreadCount } }
      }`,
      { authorization: asBob, variables: { id: pair } },
    );
    expect(marked.data.markRead.result).toEqual({ lastReadMessageId: id, unreadCount: '0' });
    expect((await list(asBob)).nodes[0].unreadCount).toBe('0');
    const edited = await api.query(
      `mutation ($conversation: BigInt!, $message: BigInt!) {
        editMessage(
          input: { conversationId: $conversation, messageId: $message, content: "Hello" }
        ) { result { content editedAt } }
      }`,
      { authorization: asAda, variables: { conversation: pair, message: id } },
    );
    expect(edited.data.editMessage.result).toMatchObject({
      content: 'Hello',
      editedAt: expect.any(String),
    });
    const deleted = await api.query(
      `mutation ($conversation: BigInt!, $message: BigInt!) {
        deleteMessage(input: { conversationId: $conversation, messageId: $message }) {
          result { content deletedAt }
        }
      }`,
      { authorization: asAda, variables: { conversation: pair, message: id } },
    );
    expect(deleted.data.deleteMessage.result).toMatchObject({
      content: '',
      deletedAt: expect.any(String),
    });
    expect((await list(asBob)).nodes[0].lastContent).toBe('');
  });

  test('sending takes one round trip, and two with what hangs on it', async () => {
    const pair = await start(asAda, [bob]);
    const plain = `mutation ($conversation: BigInt!, $content: String!) {
      sendMessage(input: { conversationId: $conversation, content: $content }) { result { id } }
    }`;
    const variables = { conversation: pair, content: 'Hello' };
    for (const [text, roundTrips] of [
      [plain, 1],
      [SEND, 2],
    ] as const) {
      await api.query(text, { authorization: asAda, variables });
      api.proxy.reset();
      const answer = await api.query(text, { authorization: asAda, variables });
      expect(answer.errors).toBeUndefined();
      expect(api.proxy.counts()).toMatchObject({ roundTrips, parses: 0 });
    }
  });
});

describe('blocks and suspensions', () => {
  test('are seen by the one who blocks, and end the conversation', async () => {
    const pair = await start(asAda, [bob]);
    const blocked = await api.query(
      `mutation ($id: BigInt!) {
        blockAccount(input: { accountId: $id }) { result { displayName viewerHasBlocked } }
      }`,
      { authorization: asBob, variables: { id: ada } },
    );
    expect(blocked.data.blockAccount.result).toEqual({
      displayName: 'Ada',
      viewerHasBlocked: true,
    });
    const own = '{ currentAccount { blocks { nodes { blocked { displayName } createdAt } } } }';
    const [bobs, adas] = [
      await api.query(own, { authorization: asBob }),
      await api.query(own, { authorization: asAda }),
    ];
    expect(bobs.data.currentAccount.blocks.nodes).toMatchObject([
      { blocked: { displayName: 'Ada' } },
    ]);
    expect(adas.data.currentAccount.blocks.nodes).toEqual([]);
    const refused = await api.query(SEND, {
      authorization: asAda,
      variables: { conversation: pair, content: 'Hello' },
    });
    expect(refused.errors?.[0]?.extensions?.code).toBe('MS003');
    await api.query(
      'mutation ($id: BigInt!) { unblockAccount(input: { accountId: $id }) { result { id } } }',
      { authorization: asBob, variables: { id: ada } },
    );
    await send(asAda, pair, 'Hello');
  });

  test('are the moderators’ to impose and withdraw', async () => {
    const moderator = await api.account('Mona');
    await api.db.pool.query(
      "insert into app_private.account_role (account_id, role) values ($1, 'moderator')",
      [moderator],
    );
    const asModerator = await api.as(moderator, 'moderator');
    const suspend = `mutation ($id: BigInt!) {
      suspendAccount(input: { accountId: $id, reason: "Spam" }) {
        result { suspendedAt suspensions { nodes { reason moderator { displayName } } } }
      }
    }`;
    const refused = await api.query(suspend, { authorization: asBob, variables: { id: ada } });
    expect(refused.errors?.[0]?.extensions?.code).toBe('DL007');
    const done = await api.query(suspend, { authorization: asModerator, variables: { id: ada } });
    expect(done.data.suspendAccount.result).toEqual({
      suspendedAt: expect.any(String),
      suspensions: { nodes: [{ reason: 'Spam', moderator: { displayName: 'Mona' } }] },
    });
    const opinion = await api.query(
      'mutation { createConversation(input: { topic: "Trees" }) { result { id } } }',
      { authorization: asAda },
    );
    expect(opinion.errors?.[0]).toMatchObject({
      message: 'This account is suspended',
      extensions: { code: 'AC005', hint: expect.stringContaining('moderator') },
    });
    await api.query(
      'mutation ($id: BigInt!) { unsuspendAccount(input: { accountId: $id }) { result { id } } }',
      { authorization: asModerator, variables: { id: ada } },
    );
    await start(asAda, [bob]);
  });
});
