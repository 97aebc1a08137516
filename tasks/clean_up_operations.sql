select app_private.clean_up_operations()
