select app_private.watch_statistics()
