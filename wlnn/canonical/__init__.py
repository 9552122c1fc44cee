"""Everything at a temperature of the loss: reweighting, Langevin motion, tempering."""
