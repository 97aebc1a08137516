-- Payload, all optional: {"name": "<derivation>", "repair": true, "size": 2000}.
call millrace.reconcile_batches($1)
