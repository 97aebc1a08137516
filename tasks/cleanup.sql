select millrace.cleanup()
