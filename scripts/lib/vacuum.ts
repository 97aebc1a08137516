import type { ClientBase } from 'pg';

const PART = /(?:[A-Za-z_][\w$]*|"(?:[^"]|"")+")/.source;
const NAME = new RegExp(`^${PART}\\.${PART}$`);

/**
 * Vacuums and analyzes tables, one after the other: vacuum cannot run inside a function or a
 * transaction. One that somebody is just working on in the same way is left out.
 *
 * @param tables qualified names, quoted where they have to be, as Postgres writes them; one that is
 * gone by now is left out.
 */
export async function vacuumTables(client: ClientBase, tables: string[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name
     from unnest($1::text[]) with ordinality as wanted (name, place)
     join pg_catalog.pg_class c on c.oid = to_regclass(wanted.name)
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'm')
     order by place`,
    // Before Postgres 16 to_regclass raises an error for what is no name.
    [tables.filter((table) => NAME.test(table))],
  );
  for (const { name } of rows) await client.query(`vacuum (analyze, skip_locked) ${name}`);
}
