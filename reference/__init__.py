"""Exact cases."""
