drop table millrace.horizon;
