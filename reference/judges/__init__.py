"""Samplers on the exact cases: one measured number, one limit, and why."""
