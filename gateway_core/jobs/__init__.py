"""Jobs are hints that there is work: losing, delaying or repeating them costs seconds, never a message."""
