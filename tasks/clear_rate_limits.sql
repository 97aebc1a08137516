select app_private.clear_rate_limits()
