"""One JSON-RPC node: requests and answers, fees, clock, and how deep a block is final."""
