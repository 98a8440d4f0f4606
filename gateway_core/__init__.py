"""An SMS gateway that has never heard of email: accounts submit, carriers deliver, accounts are owed notices."""
