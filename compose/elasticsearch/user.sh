#!/bin/sh
# Makes Valise's user on Elasticsearch, with rights on its own indices only. Can be repeated.
set -eu
secrets=${SECRETS:-/run/valise}
url=${ELASTICSEARCH:-https://elasticsearch:9200}

# path; the body comes on standard input. The password goes through a file descriptor, so that
# no list of processes shows it.
put() {
  curl --silent --show-error --fail-with-body --retry 10 --retry-connrefused --output /dev/null \
    --cacert "$secrets/ca.crt" --request PUT --header 'Content-Type: application/json' \
    --config /dev/fd/3 --data-binary @- "$url/_security/$1" 3<<END
user = "elastic:$(cat "$secrets/elastic-password")"
END
}

put role/valise <<'END'
{"cluster": ["monitor"], "indices": [{"names": ["valise-notes*"], "privileges": ["all"]}]}
END
put user/valise <<END
{"password": "$(cat "$secrets/elasticsearch-password")", "roles": ["valise"]}
END
echo "user: valise may use valise-notes*" >&2
