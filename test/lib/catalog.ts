import type pg from 'pg';

/*
 * Everything that the catalogs of a database say, as lines of text without object ids: what two
 * moments of a database have not in common is what happened between them. Broader than the schema
 * snapshot, which leaves out what is not the project's: nothing is left out here but the system
 * schemas, toast tables and the statistics.
 */

/** The catalogs as sorted lines. `except` leaves out schemas, for what happened besides them. */
export async function describeCatalog(
  client: pg.ClientBase,
  { except = [] }: { except?: string[] } = {},
): Promise<string[]> {
  const path = await client.query<{ path: string }>(
    "select pg_catalog.current_setting('search_path') as path",
  );
  // Without a search_path every name comes out qualified.
  await client.query("select pg_catalog.set_config('search_path', '', false)");
  try {
    const { rows } = await client.query<{ line: string }>(CATALOG, [except]);
    return rows.map(({ line }) => line);
  } finally {
    await client.query("select pg_catalog.set_config('search_path', $1, false)", [
      path.rows[0]?.path,
    ]);
  }
}

/** What changed: lines that went with a minus, lines that came with a plus. */
export function catalogDifference(before: string[], after: string[]): string[] {
  const was = new Set(before);
  const is = new Set(after);
  return [
    ...before.filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !was.has(line)).map((line) => `+ ${line}`),
  ];
}

const acl = (column: string, kind: string, owner: string) => `(
  select pg_catalog.string_agg(pg_catalog.format('%s=%s%s',
    case grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(grantee)::text end,
    privilege_type, case when is_grantable then '*' end), ',' order by grantee, privilege_type)
  from pg_catalog.aclexplode(coalesce(${column}, pg_catalog.acldefault('${kind}', ${owner})))
)`;

const CATALOG = `
  with schema as (
    select oid, nspname, nspowner, nspacl
    from pg_catalog.pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema' and nspname <> all($1::text[])
  ), relation as (
    select pg_class.*, pg_class.oid::regclass::text as name
    from pg_catalog.pg_class
    where relnamespace in (select oid from schema)
  ), line (line) as (
    select concat_ws(' | ', 'schema', nspname, pg_catalog.pg_get_userbyid(nspowner),
      ${acl('nspacl', 'n', 'nspowner')})
    from schema
    union all
    select concat_ws(' | ', 'relation', name, relkind, pg_catalog.pg_get_userbyid(relowner),
      relpersistence, relrowsecurity, relforcerowsecurity, relreplident, relispopulated,
      relispartition, reloptions::text, pg_catalog.pg_get_expr(relpartbound, oid),
      ${acl('relacl', 'r', 'relowner')})
    from relation
    where relkind <> 'i'
    union all
    select concat_ws(' | ', 'column', name, attnum, attname,
      pg_catalog.format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
      attcollation::regcollation, attstattarget, attstorage, attcompression, attoptions::text,
      pg_catalog.pg_get_expr(adbin, adrelid), attisdropped, attacl::text)
    from relation
    join pg_catalog.pg_attribute on attrelid = relation.oid and attnum > 0
    left join pg_catalog.pg_attrdef on adrelid = attrelid and adnum = attnum
    where relkind <> 'i'
    union all
    select concat_ws(' | ', 'index', pg_catalog.pg_get_indexdef(indexrelid), indisvalid,
      indisclustered, indisreplident)
    from pg_catalog.pg_index
    join relation on relation.oid = indexrelid
    union all
    select concat_ws(' | ', 'constraint', conrelid::regclass, contypid::regtype, conname,
      pg_catalog.pg_get_constraintdef(pg_constraint.oid), convalidated)
    from pg_catalog.pg_constraint
    where connamespace in (select oid from schema)
    union all
    select concat_ws(' | ', 'trigger', pg_catalog.pg_get_triggerdef(pg_trigger.oid), tgenabled,
      tgisinternal)
    from pg_catalog.pg_trigger
    join relation on relation.oid = tgrelid
    where not tgisinternal
    union all
    select concat_ws(' | ', 'rule', pg_catalog.pg_get_ruledef(pg_rewrite.oid), ev_enabled)
    from pg_catalog.pg_rewrite
    join relation on relation.oid = ev_class
    union all
    select concat_ws(' | ', 'policy', name, polname, polcmd, polpermissive,
      pg_catalog.pg_get_expr(polqual, polrelid), pg_catalog.pg_get_expr(polwithcheck, polrelid))
    from pg_catalog.pg_policy
    join relation on relation.oid = polrelid
    union all
    select concat_ws(' | ', 'function', pg_proc.oid::regprocedure, prokind, prosrc, provolatile,
      prosecdef, proconfig::text, pg_catalog.pg_get_function_result(pg_proc.oid),
      pg_catalog.pg_get_function_arguments(pg_proc.oid), pg_catalog.pg_get_userbyid(proowner),
      ${acl('proacl', 'f', 'proowner')})
    from pg_catalog.pg_proc
    where pronamespace in (select oid from schema)
    union all
    select concat_ws(' | ', 'type', pg_type.oid::regtype, typtype, typbasetype::regtype,
      typnotnull, typdefault, pg_catalog.pg_get_userbyid(typowner),
      (
        select pg_catalog.string_agg(enumlabel, ',' order by enumsortorder)
        from pg_catalog.pg_enum where enumtypid = pg_type.oid
      ),
      ${acl('typacl', 'T', 'typowner')})
    from pg_catalog.pg_type
    where typnamespace in (select oid from schema)
    union all
    select concat_ws(' | ', 'sequence', name, seqstart, seqincrement, seqmax, seqmin, seqcycle)
    from pg_catalog.pg_sequence
    join relation on relation.oid = seqrelid
    union all
    select concat_ws(' | ', 'inherits', inhrelid::regclass, inhparent::regclass, inhdetachpending)
    from pg_catalog.pg_inherits
    join relation on relation.oid = inhrelid
    union all
    select concat_ws(' | ', 'comment',
      pg_catalog.pg_describe_object(classoid, objoid, objsubid), description)
    from pg_catalog.pg_description
    where classoid <> 'pg_catalog.pg_proc'::regclass
        and objoid >= 16384 and not exists (
          select from pg_catalog.pg_class
          where pg_description.classoid = 'pg_catalog.pg_class'::regclass
            and pg_class.oid = objoid and relnamespace not in (select oid from schema)
        ) and not exists (
          select from pg_catalog.pg_namespace
          where pg_description.classoid = 'pg_catalog.pg_namespace'::regclass
            and pg_namespace.oid = objoid and nspname = any($1)
        ) and not exists (
          select from pg_catalog.pg_type
          where pg_description.classoid = 'pg_catalog.pg_type'::regclass
            and pg_type.oid = objoid and typnamespace not in (select oid from schema)
        )
      or classoid = 'pg_catalog.pg_proc'::regclass and exists (
        select from pg_catalog.pg_proc
        where pg_proc.oid = objoid and pronamespace in (select oid from schema)
      )
    union all
    select concat_ws(' | ', 'default privileges', pg_catalog.pg_get_userbyid(defaclrole),
      defaclnamespace::regnamespace, defaclobjtype, defaclacl::text)
    from pg_catalog.pg_default_acl
    union all
    select concat_ws(' | ', 'extension', extname, extversion, extnamespace::regnamespace)
    from pg_catalog.pg_extension
    union all
    select concat_ws(' | ', 'event trigger', evtname, evtevent, evtfoid::regproc, evtenabled)
    from pg_catalog.pg_event_trigger
    union all
    select concat_ws(' | ', 'publication', pubname, puballtables)
    from pg_catalog.pg_publication
    union all
    select concat_ws(' | ', 'settings', setrole::regrole, setconfig::text)
    from pg_catalog.pg_db_role_setting
    where setdatabase = (
      select oid from pg_catalog.pg_database where datname = current_database()
    )
    union all
    select concat_ws(' | ', 'database', pg_catalog.pg_get_userbyid(datdba),
      ${acl('datacl', 'd', 'datdba')})
    from pg_catalog.pg_database
    where datname = current_database()
    union all
    select concat_ws(' | ', 'member', roleid::regrole, member::regrole, admin_option)
    from pg_catalog.pg_auth_members
    where (
      select datdba from pg_catalog.pg_database where datname = current_database()
    ) in (roleid, member)
  )
  select line from line order by line collate "C"`;
