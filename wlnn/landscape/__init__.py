"""The result: axes and grids, S with its error bars, merging, diagnostics, files."""
