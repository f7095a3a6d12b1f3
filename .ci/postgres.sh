#!/usr/bin/env bash
# Starts a PostgreSQL for the tests in a temporary folder: `source .ci/postgres.sh FOLDER`, and at the end `stop_postgres`.
# Installs Debian's if the machine has none. It sets EMBEDGATE_TEST_POSTGRES and EMBEDGATE_TEST_POSTGRES_RESTART, which the tests read, and
# EMBEDGATE_TEST_POSTGRES_BIN, for tests that start servers of their own.
find_postgres() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }
postgres_bin=$(find_postgres)
if [ -z "$postgres_bin" ]; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null 2>&1
  postgres_bin=$(find_postgres)
fi
postgres_data="$1/postgres"
# PostgreSQL refuses to run as root.
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
stop_postgres() { [ -n "$postgres_bin" ] && as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -m immediate stop >/dev/null 2>&1; }

if [ -n "$postgres_bin" ]; then
  mkdir -p "$postgres_data"
  if [ "$(id -u)" = 0 ]; then chmod 711 "$1" && chown postgres "$postgres_data"; fi
  postgres_port=$((20000 + RANDOM % 10000))
  postgres_start="$postgres_bin/pg_ctl -D $postgres_data -l $postgres_data/log -w"
  # The data need not survive the tests, so nothing waits for the disk.
  if as_postgres "$postgres_bin/initdb" -D "$postgres_data" -U postgres -A trust --no-sync >/dev/null &&
    printf '%s\n' "port = $postgres_port" "listen_addresses = '127.0.0.1'" "unix_socket_directories = ''" "fsync = off" "max_connections = 200" \
      | as_postgres tee -a "$postgres_data/postgresql.conf" >/dev/null &&
    as_postgres $postgres_start start >/dev/null; then
    export EMBEDGATE_TEST_POSTGRES="postgres://postgres@127.0.0.1:$postgres_port/postgres?sslmode=disable"
    export EMBEDGATE_TEST_POSTGRES_BIN="$postgres_bin"
    if [ "$(id -u)" = 0 ]; then
      export EMBEDGATE_TEST_POSTGRES_RESTART="runuser -u postgres -- $postgres_start -m immediate restart"
    else
      export EMBEDGATE_TEST_POSTGRES_RESTART="$postgres_start -m immediate restart"
    fi
  else
    echo "PostgreSQL could not be started: its tests are skipped" >&2
  fi
fi
