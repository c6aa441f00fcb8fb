"""Load, faults and floods: real workers and requesters on real chains, through a node that misbehaves."""
