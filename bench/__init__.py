"""Measures the bus next to two baselines, in one run on one machine; nothing here is a test."""
