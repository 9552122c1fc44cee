"""Settings, their limits and units, and the tables of the tasks; nothing is computed here."""
