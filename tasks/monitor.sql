select app_private.monitor()
