"""The SMTP listener: aiosmtpd's protocol with the parts replaced that fall short, and our decisions behind it."""
