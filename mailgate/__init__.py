"""A mail server that has never heard of a carrier: mail becomes a submission, a notice becomes mail."""
