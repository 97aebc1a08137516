drop table millrace.granted;
