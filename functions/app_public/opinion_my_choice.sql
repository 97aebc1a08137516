/* By primary key; for visitors without an account nothing is looked up. */
create or replace function app_public.opinion_my_choice(opinion app_public.opinion)
  returns app_public.vote_choice
  language sql
  stable
  parallel safe
  security invoker
return (
  select v.choice from app_public.opinion_vote v
  where v.opinion_id = opinion.id and v.voter_id = (select app_hidden.current_account_id())
    and v.cancelled_at is null
);

comment on function app_public.opinion_my_choice(app_public.opinion) is
  'What the viewer has voted on the opinion; null if nothing, or if the vote was cancelled.';

grant execute on function app_public.opinion_my_choice(app_public.opinion)
  to app_anonymous, app_account, app_moderator;
