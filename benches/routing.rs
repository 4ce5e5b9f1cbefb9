//! Cost of finding a route, by size of the table.

fn main() {}
