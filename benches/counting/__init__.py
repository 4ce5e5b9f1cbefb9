"""What `benches/instructions` is made of: callgrind, the load of the guard and of the rows, what was accepted, and the parts."""
