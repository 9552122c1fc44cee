"""Wang-Landau molecular dynamics: all parameters move under -grad S."""
