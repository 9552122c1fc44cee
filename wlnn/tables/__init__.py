"""Hyper-parameter tables, one TOML file per task; every number carries its source."""
