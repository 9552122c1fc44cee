"""Ladders of replicas at temperatures of the training loss, exchanged and joined by MBAR."""
