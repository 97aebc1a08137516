select app_private.expire_access()
