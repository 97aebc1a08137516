/*
 * Erases the events of accounts that are deleted: of one, by the job that delete_account adds, with
 * payload {"accountId": "7"}; of all, every night, should a job have died. Events say who did what,
 * and their payloads whatever the client put there, so they go, and are not given another number.
 * An account takes with it the events of the guests that have become part of it; those of a guest
 * whose account stands stay.
 *
 * A batch is a transaction, so that sums and logs follow in small steps. Nobody waits: a deleted
 * account sends nothing (ingest_telemetry holds its row), and what is deleted is looked up by the
 * key, which begins with the account.
 */
create or replace procedure app_private.erase_telemetry(
  payload jsonb default '{}', batch_size integer default 10000
)
  language plpgsql
as $$
declare
  v_account_id constant bigint := (payload ->> 'accountId')::bigint;
  v_deleted bigint[];
  v_id bigint;
  v_last uuid;
begin
  v_deleted := array(
    select a.id
    from app_public.account a
    left join app_private.account_merge m on m.guest_id = a.id
    left join app_public.account o on o.id = m.account_id
    where a.deleted_at is not null and (m.guest_id is null or o.deleted_at is not null)
      and (v_account_id is null or a.id in (
        select v_account_id
        union all
        select g.guest_id from app_private.account_merge g where g.account_id = v_account_id
      ))
      and exists (select from app_public.telemetry_event e where e.account_id = a.id)
  );
  foreach v_id in array v_deleted loop
    loop
      -- a range of the key: deletes by rows of a subquery are planned as a join, over everything
      v_last := (
        select e.id from app_public.telemetry_event e
        where e.account_id = v_id
        order by e.id offset batch_size - 1 limit 1
      );
      delete from app_public.telemetry_event e
        where e.account_id = v_id
          and e.id <= coalesce(v_last, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
      commit;
      exit when v_last is null;
    end loop;
  end loop;
end
$$;

comment on procedure app_private.erase_telemetry(jsonb, integer) is
  'Erases the telemetry events of accounts that are deleted, of one by {"accountId": "7"}, with '
  'those of its guests; a batch a transaction.';
