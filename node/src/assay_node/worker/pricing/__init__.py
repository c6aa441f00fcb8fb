"""What a job is worth, and whether it can be proven in time beside what is promised."""
