import pg from 'pg';

/** A connection string with another database. */
export function databaseUrl(connectionString: string, database: string): string {
  const url = new URL(connectionString);
  url.pathname = `/${database}`;
  return url.href;
}

/** Lets a login that is no superuser become every role that tests act under. */
export async function grantTestRoles(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(`do $$
      begin
        if not (select rolsuper from pg_roles where rolname = current_user) then
          execute format(
            'grant app_anonymous, app_account, app_moderator, app_operator to %I', current_user);
        end if;
      end $$`);
  } finally {
    await client.end();
  }
}
