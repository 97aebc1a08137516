import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT_SCHEMAS } from '../../scripts/lib/lints.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

/*
 * plpgsql_check, with all its warnings, over every plpgsql function of the project. It is an extension
 * that a server has or has not (Debian: postgresql-15-plpgsql-check): where it is missing these tests
 * are skipped and say so, unless REQUIRE_PLPGSQL_CHECK is set, as it is in CI for Postgres 15.
 */

interface Finding {
  routine: string;
  line: number | null;
  level: string;
  message: string;
}

/** What it reports and is meant to be so; `routine` begins with this, `message` matches. */
const ACCEPTED: { routine: string; message: RegExp; why: string }[] = [
  {
    routine: 'millrace.',
    message: /not sanitized|not SQL injection safe/,
    why: `The engine makes SQL from declarations. Its texts are built by functions with %I and %L,
      which the check does not follow from one function to another.`,
  },
  {
    routine: 'app_operator.reset_statistics',
    message: /not sanitized/,
    why: 'Made in a query by format with %I; the check does not look into queries.',
  },
  {
    routine: '',
    message: /target type is different type than source type/,
    why: 'Assignments that cast: name to text, integer to bigint. Once a call, not once a row.',
  },
  {
    routine: '',
    message: /routine is marked as VOLATILE, should be STABLE/,
    why: 'What raises is volatile on purpose: the planner may leave out or move a stable call.',
  },
  {
    routine: '',
    message: /immutable expression without parameters found/,
    why: 'Constants by name: date_trunc, advisory lock keys, empty jsonb arrays.',
  },
  {
    routine: 'app_public.search_result_title_highlight',
    message: /should be IMMUTABLE/,
    why: 'Text search configurations may be changed.',
  },
  {
    routine: 'millrace.',
    message: /relation "millrace_log\.declared_\w+" does not exist|schema "pg_temp" does not exist/,
    why: 'A probe view that the function itself makes and drops.',
  },
  {
    routine: 'app_private.dead_jobs',
    message: /relation "pgboss\.job" does not exist/,
    why: 'Asked for only where it exists: pg-boss makes it when a host first starts.',
  },
  {
    routine: 'millrace.waiting',
    message: /OUT variable "\w+" is maybe unmodified/,
    why: 'Returned by return query execute.',
  },
  {
    routine: 'app_hidden.enter_session',
    message: /unused parameter "name"/,
    why: 'It stands in for set_config and has its arguments.',
  },
  {
    routine: 'millrace.read_columns',
    message: /unused parameter/,
    why: 'Read by the dynamic statement, by position.',
  },
];

let db: TestDatabase;
let client: pg.Client;
let missing: string | null = null;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
  await client.query('set role none');
  const { rows } = await client.query<{ available: boolean; super: boolean }>(
    `select exists (select from pg_available_extensions where name = 'plpgsql_check') as available,
       (select rolsuper from pg_roles where rolname = session_user) as super`,
  );
  if (!rows[0]?.available) missing = 'this server has no plpgsql_check';
  else if (!rows[0].super) missing = 'the login of the tests may not create extensions';
  else await client.query('create extension plpgsql_check');
});

afterAll(async () => {
  await db.drop();
});

async function check(schemas: readonly string[]): Promise<Finding[]> {
  const { rows } = await client.query<Finding>(
    `select p.oid::regprocedure::text as routine, c.lineno as line, c.level, c.message
     from pg_proc p
     join pg_namespace n on n.oid = p.pronamespace
     join pg_language l on l.oid = p.prolang
     left join lateral (
       select t.tgrelid as relation, max(t.tgoldtable) as old_rows, max(t.tgnewtable) as new_rows
       from pg_trigger t where t.tgfoid = p.oid group by t.tgrelid order by t.tgrelid limit 1
     ) t on true
     cross join lateral public.plpgsql_check_function_tb(p.oid, coalesce(t.relation, 0),
       fatal_errors => false, all_warnings => true, oldtable => t.old_rows, newtable => t.new_rows) c
     where l.lanname = 'plpgsql' and n.nspname = any($1)
       and (p.prorettype <> 'trigger'::regtype or t.relation is not null)
     order by 1, 2`,
    [schemas],
  );
  return rows;
}

describe('plpgsql_check', () => {
  test('is there, where it has to be', () => {
    if (process.env.REQUIRE_PLPGSQL_CHECK) expect(missing).toBeNull();
  });

  test('has nothing to say about the functions of this project', async ({ skip }) => {
    if (missing !== null) skip(`${missing}; REQUIRE_PLPGSQL_CHECK=1 makes that a failure`);
    const findings = (
      await check(PROJECT_SCHEMAS.filter((name) => name !== 'millrace_log'))
    ).filter(
      ({ routine, message }) =>
        !ACCEPTED.some((it) => routine.startsWith(it.routine) && it.message.test(message)),
    );
    expect(findings).toEqual([]);
  });

  test.for([
    ['a column that is not there', 'perform a.nothing from app_public.account a', /does not exist/],
    ['a variable that is never read', 'v_planted := 1', /never read variable "v_planted"/],
    ['code behind a return', 'return; perform 1', /unreachable code/],
    ['SQL from an argument', 'execute planted.argument', /not sanitized/],
  ] as const)('finds %s', async ([, statement, message], { skip }) => {
    if (missing !== null) skip(missing);
    await client.query('begin');
    try {
      await client.query(`create schema planted;
        create function planted.planted(argument text) returns void language plpgsql as $$
        declare v_planted integer;
        begin
          ${statement};
        end $$`);
      const found = await check(['planted']);
      expect(found.map((finding) => finding.message).join('\n')).toMatch(message);
    } finally {
      await client.query('rollback');
    }
  });
});
