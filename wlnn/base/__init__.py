"""What every room uses: errors, files, random streams, progress, processes, the running loop."""
