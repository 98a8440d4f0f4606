"""The SMTP listener: our own protocol (RFC 5321) for a hostile wire, and our decisions behind it."""
