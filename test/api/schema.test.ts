import {
  buildSchema,
  type GraphQLEnumType,
  type GraphQLInputObjectType,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'postgraphile/graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printApiSchema } from '../../scripts/lib/api-schema.ts';
import { startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
let schema: GraphQLSchema;

beforeAll(async () => {
  api = await startTestApi({
    prepare: (db) =>
      db.pool.query(`
        create table app_private.secret (id bigint primary key);
        create table app_public.not_granted (id bigint primary key);
        create function app_public.not_granted_either() returns int language sql stable as 'select 1';
      `),
  });
  schema = buildSchema(await printApiSchema(api.db.connectionString));
});

afterAll(() => api.stop());

const fieldsOf = (type: string) =>
  Object.keys((schema.getType(type) as GraphQLObjectType | GraphQLInputObjectType).getFields());
const valuesOf = (type: string) =>
  (schema.getType(type) as GraphQLEnumType).getValues().map(({ name }) => name);

describe('the schema', () => {
  test('shows the exact counters as fields, once', () => {
    expect(fieldsOf('Conversation')).toEqual(
      expect.arrayContaining(['opinionCount', 'voteCount', 'participantCount', 'totalVoteCount']),
    );
    expect(fieldsOf('Opinion')).toEqual(
      expect.arrayContaining(['agreeCount', 'disagreeCount', 'passCount']),
    );
    expect(
      fieldsOf('Conversation')
        .filter((name) => /voteCount/i.test(name))
        .sort(),
    ).toEqual(['totalVoteCount', 'voteCount']);
  });

  test('orders and filters by stored columns that an index serves, and by no others', () => {
    expect(valuesOf('ConversationOrderBy')).toEqual(
      expect.arrayContaining(['VOTE_COUNT_DESC', 'PARTICIPANT_COUNT_DESC']),
    );
    expect(valuesOf('ConversationOrderBy')).not.toContain('TOTAL_VOTE_COUNT_DESC');
    expect(valuesOf('ConversationOrderBy')).not.toContain('TOPIC_ASC');
    expect(fieldsOf('ConversationFilter')).not.toContain('topic');
    expect(fieldsOf('BigIntFilter')).not.toContain('notEqualTo');
  });

  test('has the functions as mutations, and none that writes a table as such', async () => {
    const { rows } = await api.db.pool.query<{ proname: string }>(
      `select proname from pg_proc
      where pronamespace = 'app_public'::regnamespace and provolatile = 'v'`,
    );
    const camelCase = (name: string) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    // What ends in a token, which only the host can make.
    const ofTheHost = ['refreshSession', 'signIn'];
    expect(fieldsOf('Mutation').sort()).toEqual(
      [...rows.map(({ proname }) => camelCase(proname)), ...ofTheHost].sort(),
    );
  });

  test('shows nothing that the API roles may not use', () => {
    expect(schema.getType('Secret')).toBeUndefined();
    expect(schema.getType('NotGranted')).toBeUndefined();
    expect(fieldsOf('Query')).not.toContain('notGrantedEither');
    expect(Object.keys(schema.getTypeMap()).filter((name) => /millrace|job/i.test(name))).toEqual(
      [],
    );
  });

  test('follows the database when it is reloaded', async () => {
    await api.db.pool.query(`
      create function app_public.newcomer() returns int language sql stable as 'select 7';
      grant execute on function app_public.newcomer() to app_anonymous;
    `);
    expect((await api.query('{ newcomer }')).errors).toHaveLength(1);
    await api.server.reload();
    expect((await api.query('{ newcomer }')).data).toEqual({ newcomer: 7 });
  });
});

describe('counters', () => {
  test('are exact at once, though nothing has been drained', async () => {
    const author = await api.as(await api.account());
    const { data: made } = await api.query(
      'mutation { createConversation(input: { topic: "Parks" }) { result { id } } }',
      { authorization: author },
    );
    const { id } = made.createConversation.result;
    const { data: spoken } = await api.query(
      `mutation { createOpinion(input: { conversationId: ${id}, content: "More" }) { result { id } } }`,
      { authorization: author },
    );
    const opinion = spoken.createOpinion.result.id;
    const cast = `mutation { castVote(input: { opinionId: ${opinion}, choice: disagree }) {
      result { opinion { agreeCount disagreeCount conversation { voteCount participantCount } } }
    } }`;
    for (let voters = 1; voters <= 3; voters += 1) {
      const { data } = await api.query(cast, { authorization: await api.as(await api.account()) });
      expect(data.castVote.result.opinion).toEqual({
        agreeCount: '1',
        disagreeCount: String(voters),
        conversation: { voteCount: String(voters + 1), participantCount: String(voters + 1) },
      });
      const read = await api.query(`{ conversation(id: ${id}) { voteCount } }`);
      expect(read.data.conversation.voteCount).toBe(String(voters + 1));
    }
    const { rows } = await api.db.pool.query(
      'select vote_count from app_public.conversation where id = $1',
      [id],
    );
    expect(rows).toEqual([{ vote_count: '0' }]);
  });
});
