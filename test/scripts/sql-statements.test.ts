import { expect, test } from 'vitest';
import { endsTransaction, splitStatements } from '../../scripts/lib/sql-statements.ts';

const texts = (sql: string) => splitStatements(sql).map(({ text }) => text);

test('a semicolon ends a statement, its comments in front are left out', () => {
  const sql = '-- one;\nselect 1; /* two; /* nested; */ */ select 2;;\nselect 3 -- end';
  expect(texts(sql)).toEqual(['select 1;', 'select 2;', 'select 3 -- end']);
  expect(splitStatements(sql).map(({ offset }) => sql.slice(offset, offset + 8))).toEqual([
    'select 1',
    'select 2',
    'select 3',
  ]);
});

test('a semicolon in strings, names, bodies and parentheses ends nothing', () => {
  for (const sql of [
    "select ';', 'it''s;', e'\\';';",
    'select ";", "a"";";',
    'do $$ begin perform 1; end; $$;',
    'do $a$ begin perform $$;$$; end; $a$;',
    'create rule r as on insert to t do (select 1; select 2);',
  ]) {
    expect(texts(sql)).toEqual([sql]);
  }
});

test('a begin atomic body belongs to its function', () => {
  const body = `create or replace function a.f(x int) returns int language sql
begin atomic
  select case when x > 0 then 1 else 2 end;
  select x;
end;`;
  expect(texts(`${body}\nselect 1;`)).toEqual([body, 'select 1;']);
});

test('statements that end the transaction are recognised', () => {
  const ends = (sql: string) => splitStatements(sql).map(endsTransaction);
  expect(ends('begin; commit; rollback; end; abort; start transaction;')).toEqual(
    Array(6).fill(true),
  );
  expect(ends('rollback to savepoint a; savepoint a; create table commits ();')).toEqual([
    false,
    false,
    false,
  ]);
});
