#!/bin/bash
# One run on a dask scheduler that is begun here, with workers that may be on other machines.
# All of it is encrypted, and only who has key.pem can send work.
set -e
if [ ! -e key.pem ]; then
    (umask 077 && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem \
        -subj /CN=wlnn -days 30)
fi
keys=(--tls-ca-file cert.pem --tls-cert cert.pem --tls-key key.pem)
export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=True
export DASK_DISTRIBUTED__COMM__TLS__CA_FILE="$PWD/cert.pem"
export DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT="$PWD/cert.pem"
export DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY="$PWD/key.pem"
address="tls://${HOST:-127.0.0.1}:${PORT:-8786}"

dask scheduler "${keys[@]}" --host "$address" --no-dashboard > scheduler.log 2>&1 &
trap 'kill $(jobs -p) 2> /dev/null' EXIT
# On other machines, with the same keys, as many as you like, whenever you like:
dask worker "$address" "${keys[@]}" --nworkers "${WORKERS:-8}" --nthreads 1 --no-dashboard \
    > workers.log 2>&1 &

wlnn sample --on "dask:$address" --out runs/dask "$@"
