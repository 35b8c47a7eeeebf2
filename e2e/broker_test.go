// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// broker is a Kafka of one node, on loopback.
type broker struct {
	address string
	folder  string // with its data
	admin   *kadm.Client
	server  *process
	serve   func() *process // starts it again, where it was
}

// startBroker starts a Kafka that ends with the test.
func startBroker(t testing.TB) broker {
	t.Helper()
	java, err := exec.LookPath("java")
	jars, _ := filepath.Glob("../bin/kafka/kafka_*.jar")
	if err != nil || len(jars) == 0 {
		skip(t, "no Java, or no bin/kafka, which make e2e fetches with Maven: windows behind a real Kafka are not tested")
	}
	require.NoError(t, err)
	require.NotEmpty(t, jars, "make e2e fetches bin/kafka with Maven")

	port, controller, directory := freePort(t), freePort(t), t.TempDir()
	properties := filepath.Join(directory, "server.properties")
	b := broker{address: fmt.Sprintf("127.0.0.1:%d", port), folder: directory}
	require.NoError(t, os.WriteFile(properties, fmt.Appendf(nil, `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://%[1]s,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://%[1]s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[3]s/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
`, b.address, controller, directory), 0o600))

	run := func(class string, arguments ...string) *process {
		arguments = append([]string{"-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", "../bin/kafka/*", class}, arguments...)
		return startCommand(t, "kafka", exec.CommandContext(context.Background(), java, arguments...))
	}
	format := run("kafka.tools.StorageTool", "format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qk", "--config", properties)
	require.NoError(t, format.Wait(), format.output.String())
	b.serve = func() *process { return run("kafka.Kafka", properties) }
	b.server = b.serve()

	client, err := kgo.NewClient(kgo.SeedBrokers(b.address))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	b.admin = kadm.NewClient(client)
	eventually(t, func() error {
		_, err := b.admin.ListTopics(t.Context())
		return err
	})
	return b
}

func (b broker) create(t testing.TB, topic string, partitions int32) {
	t.Helper()
	_, err := b.admin.CreateTopic(t.Context(), partitions, 1, nil, topic)
	require.NoError(t, err)
}
