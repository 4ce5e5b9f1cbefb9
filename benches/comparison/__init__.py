"""What `benches/compare` is made of: the processes, the load, the gateways' configurations, the rows and the tables."""
