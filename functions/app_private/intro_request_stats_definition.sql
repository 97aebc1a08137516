/*
 * Intro requests of each account by state, as sender and as recipient. For one account it is a
 * range of each of the two indexes of intro_request by account. db/derived/discovery.sql keeps it.
 */
create or replace view app_private.intro_request_stats_definition as
select
  s.account_id,
  count(*) filter (where s.sent and s.state = 'requested') as sent_requested_count,
  count(*) filter (where s.sent and s.state = 'accepted') as sent_accepted_count,
  count(*) filter (where s.sent and s.state = 'declined') as sent_declined_count,
  count(*) filter (where s.sent and s.state = 'withdrawn') as sent_withdrawn_count,
  count(*) filter (where s.sent and s.state = 'expired') as sent_expired_count,
  count(*) filter (where not s.sent and s.state = 'requested') as received_requested_count,
  count(*) filter (where not s.sent and s.state = 'accepted') as received_accepted_count,
  count(*) filter (where not s.sent and s.state = 'declined') as received_declined_count,
  count(*) filter (where not s.sent and s.state = 'withdrawn') as received_withdrawn_count,
  count(*) filter (where not s.sent and s.state = 'expired') as received_expired_count
from (
  select r.requester_id as account_id, true as sent, r.state from app_public.intro_request r
  union all
  select r.recipient_id, false, r.state from app_public.intro_request r
) s
group by s.account_id;

comment on view app_private.intro_request_stats_definition is
  'What app_public.intro_request_stats holds.';
