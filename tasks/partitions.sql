-- Payload, all optional: {"table": "<schema.table>", "dryRun": false}.
call millrace.partition_run($1)
