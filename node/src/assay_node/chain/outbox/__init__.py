"""One account's transactions: signed once, kept on disk, replaced, and followed until they are final."""
