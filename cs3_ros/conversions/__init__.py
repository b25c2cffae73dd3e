"""The only place where messages become arrays and arrays become messages."""
