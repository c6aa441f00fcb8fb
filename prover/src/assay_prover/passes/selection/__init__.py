"""Selection: measure candidates on samples, and take the cheapest precision whose answers are good enough."""
