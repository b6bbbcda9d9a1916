"""Load generators and the echo server the benchmarks start as processes of their own."""
