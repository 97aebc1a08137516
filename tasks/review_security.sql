select app_private.review_security()
