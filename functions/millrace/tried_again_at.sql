/*
 * When a key whose definition raised an error is tried again: after its wait, which doubles up to
 * an hour; where the key has changed since, which may have put it right, after ten seconds at the
 * latest. Not less: a key that fails and changes all the time would cost a failing batch each time.
 * Null when it need not wait: there is no failure, or one from the future (the clock was set back).
 */
create or replace function millrace.tried_again_at(
  last_error_at timestamptz, retry_at timestamptz, marked_at timestamptz
)
  returns timestamptz
  language sql
  stable
  set search_path to ''
return case
  when clock_timestamp() not between tried_again_at.last_error_at and tried_again_at.retry_at
    then null
  when tried_again_at.marked_at > tried_again_at.last_error_at
    then least(tried_again_at.retry_at, tried_again_at.last_error_at + interval '10 seconds')
  else tried_again_at.retry_at
end;

comment on function millrace.tried_again_at(timestamptz, timestamptz, timestamptz) is
  'When a key that failed at this moment, and changed last at this one, is tried again.';
