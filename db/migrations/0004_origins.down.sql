drop table app_private.opinion_origin;
drop table app_private.conversation_origin;
