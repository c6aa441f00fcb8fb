"""The contracts as typed Python: interfaces, calls, events, custom errors, a deployment's addresses."""
