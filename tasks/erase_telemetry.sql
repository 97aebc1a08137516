-- Payload, optional: {"accountId": "<deleted account>"}; without, all of them.
call app_private.erase_telemetry($1)
