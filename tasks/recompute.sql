-- Payload: {"name": "<derived relation>"}. Scheduled by the tick.
call millrace.recompute($1)
