#!/bin/bash
# One run in worker processes of one machine; what is given here goes to wlnn sample.
set -e
wlnn sample --on "processes:${WORKERS:-8}" --out runs/processes "$@"
wlnn info runs/processes
