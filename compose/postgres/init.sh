#!/bin/sh
# Run once by PostgreSQL's image on an empty disk: the user and the database of the registry.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
  --set password="$(cat "${SECRETS:-/run/valise}/database-password")" \
  --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'END'
SET password_encryption = 'scram-sha-256';
CREATE ROLE valise LOGIN PASSWORD :'password';
CREATE DATABASE valise OWNER valise;
REVOKE ALL ON DATABASE valise FROM PUBLIC;
END
