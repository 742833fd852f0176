#!/bin/sh
# Makes what the engines prove themselves with: an authority, a certificate for each, passwords.
#
#   prepare.sh [OUT] [GIVEN]
#
# Run again, it keeps what is there and renews certificates that end within a month. What lies in
# GIVEN is taken instead of made: tls.crt with tls.key (the site's own certificate), and passwords
# under the names used below. What only an administrator has (people.toml, oidc-client-secret) is
# handed on, and taken back once it lies there no more. Each folder of OUT is for one service and belongs to its user.
set -eu
umask 077

out=${1:-/prepared}
given=${2:-/given}
authority=$out/authority
month=$((30 * 24 * 3600))
# Ten years: a new authority must reach every client. The certificates live as long as browsers
# accept for one.
authority_days=3650
certificate_days=397

say() { echo "prepare: $*" >&2; }

# folder, owner
own() {
  [ "$(id -u)" -ne 0 ] || chown -R "$2" "$out/$1"
}

# folder, first name, further names, uses (extendedKeyUsage)
certificate() {
  folder=$out/$1
  mkdir -p "$folder"
  cp "$authority/ca.crt" "$folder/ca.crt"
  if [ -s "$folder/tls.crt" ] &&
    openssl x509 -in "$folder/tls.crt" -noout -checkend "$month" >/dev/null &&
    openssl x509 -in "$folder/tls.crt" -noout -checkhost "$2" | grep -q 'does match' &&
    openssl verify -CAfile "$authority/ca.crt" "$folder/tls.crt" >/dev/null 2>&1; then
    return
  fi
  names=DNS:$2,IP:127.0.0.1
  [ "$2" = localhost ] || names=$names,DNS:localhost
  for name in $3; do names=$names,DNS:$name; done
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/tls.key"
  printf 'basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\n' \
    "$4" "$names" >"$folder/extensions"
  openssl req -new -key "$folder/tls.key" -subj "/CN=$2" |
    openssl x509 -req -CA "$authority/ca.crt" -CAkey "$authority/ca.key" \
      -set_serial "0x$(openssl rand -hex 16)" -days "$certificate_days" \
      -extfile "$folder/extensions" -out "$folder/tls.crt" 2>/dev/null
  rm "$folder/extensions"
  cat "$folder/tls.key" "$folder/tls.crt" >"$folder/tls.pem"
  say "a certificate for $names"
}

# name: the password of that name, made once
password() {
  kept=$authority/$1
  if [ -s "$given/$1" ]; then
    if ! tr -d '\n' <"$given/$1" | grep -Eq '^[A-Za-z0-9_.-]{12,}$'; then
      say "$1: at least 12 of A-Z a-z 0-9 . _ - are wanted"
      exit 1
    fi
    tr -d '\n' <"$given/$1" >"$kept"
  elif [ ! -s "$kept" ]; then
    openssl rand -hex 24 | tr -d '\n' >"$kept"
    say "a password: $1"
  fi
}

# folder, names of passwords
hand() {
  folder=$1
  shift
  for name; do cp "$authority/$name" "$out/$folder/$name"; done
}

mkdir -p "$authority"
if [ ! -s "$authority/ca.crt" ]; then
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$authority/ca.key"
  openssl req -x509 -new -key "$authority/ca.key" -subj "/CN=Valise" -days "$authority_days" \
    -addext keyUsage=critical,keyCertSign,cRLSign -out "$authority/ca.crt"
  say "an authority, in $authority"
fi
# The brokers' cluster id: 22 letters that stand for 16 bytes.
[ -s "$authority/cluster-id" ] ||
  openssl rand -base64 16 | tr '+/' 'ab' | cut -c1-22 | tr -d '\n' >"$authority/cluster-id"
for name in kafka-password elastic-password elasticsearch-password postgres-password \
  database-password; do
  password "$name"
done

# Brokers show their certificate to each other too; the others are servers only.
certificate kafka kafka "kafka-2 kafka-3" serverAuth,clientAuth
certificate elasticsearch elasticsearch "" serverAuth
certificate postgres postgres "" serverAuth
certificate proxy "${SITE_HOST:-localhost}" "" serverAuth
if [ -s "$given/tls.crt" ] && [ -s "$given/tls.key" ]; then
  cp "$given/tls.crt" "$given/tls.key" "$out/proxy/"
fi
mkdir -p "$out/valise"
cp "$authority/ca.crt" "$out/valise/ca.crt"

hand kafka kafka-password cluster-id
hand elasticsearch elastic-password elasticsearch-password
hand postgres postgres-password database-password
hand valise kafka-password elasticsearch-password database-password

for name in people.toml oidc-client-secret; do
  if [ -s "$given/$name" ]; then
    cp "$given/$name" "$out/valise/$name.new"
    own valise 10001:10001
    mv "$out/valise/$name.new" "$out/valise/$name"
  else
    rm -f "$out/valise/$name"
  fi
done

own kafka 1000:1000
own elasticsearch 1000:0
own postgres 999:999
own proxy 10002:10002
own valise 10001:10001
