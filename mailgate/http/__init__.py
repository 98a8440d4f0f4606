"""The HTTP edge: `/v1` for programs, pages of the simulated phones and the outbox for people on this machine."""
