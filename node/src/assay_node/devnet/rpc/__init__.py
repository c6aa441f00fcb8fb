"""JSON-RPC methods over a chain, and the envelope around them. No HTTP here."""
