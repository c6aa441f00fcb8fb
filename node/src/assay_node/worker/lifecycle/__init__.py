"""The life of one job at a worker as a pure function: events in, progress and instructions out."""
