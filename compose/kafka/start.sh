#!/bin/sh
# Starts a broker (which is a controller too): writes its settings, formats its disk once, runs it.
#
# Clients come over SASL_SSL with a password (SCRAM), brokers and controllers over TLS with their
# certificate. Who is neither the user valise nor a broker may do nothing.
set -eu
umask 077

bin=${KAFKA_BIN:-/opt/kafka/bin}
secrets=${SECRETS:-/run/valise}
data=${DATA:-/var/lib/kafka/data}
listen=${LISTEN:-0.0.0.0}
host=${BROKER_HOST:?}
client=${CLIENT_PORT:-9092}
controller=${CONTROLLER_PORT:-9093}
broker=${BROKER_PORT:-9094}
replicas=${BROKER_REPLICAS:-1}
in_sync=${BROKER_IN_SYNC:-1}
properties=${PROPERTIES:-/tmp/server.properties}

cat >"$properties" <<END
process.roles=broker,controller
node.id=${BROKER_ID:-1}
controller.quorum.voters=${BROKER_VOTERS:-1@$host:$controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listeners=CLIENT://$listen:$client,CONTROLLER://$listen:$controller,BROKER://$listen:$broker
advertised.listeners=CLIENT://$host:$client,BROKER://$host:$broker
listener.security.protocol.map=CLIENT:SASL_SSL,BROKER:SSL,CONTROLLER:SSL
listener.name.broker.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location=$secrets/tls.pem
ssl.truststore.type=PEM
ssl.truststore.location=$secrets/ca.crt
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN=kafka;User:valise
log.dirs=$data
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
# Notes of 8 MB travel with their envelope; a follower must be able to fetch them.
message.max.bytes=12582912
replica.fetch.max.bytes=12582912
END

"$bin/kafka-storage.sh" format --ignore-formatted --cluster-id "$(cat "$secrets/cluster-id")" \
  --config "$properties" \
  --add-scram "SCRAM-SHA-512=[name=valise,password=$(cat "$secrets/kafka-password")]"
exec "$bin/kafka-server-start.sh" "$properties"
