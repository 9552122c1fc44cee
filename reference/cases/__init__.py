"""Exact cases: problem, exact masses, table; nothing is sampled here."""
