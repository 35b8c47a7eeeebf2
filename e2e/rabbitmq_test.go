// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// rabbitTier is two tiers of collectors with a RabbitMQ between them.
type rabbitTier struct {
	server  *rabbit
	windows *windowSink
}

func startRabbitTier(t *testing.T, platforms ...*sim.Server) rabbitTier {
	t.Helper()
	set := rabbitTier{server: startRabbitMQ(t), windows: startWindowSink(t)}
	for _, platform := range platforms {
		set.startIngest(t, platform, t.TempDir())
	}
	return set
}

func (s rabbitTier) environment(t testing.TB) []string {
	t.Helper()
	return []string{
		fmt.Sprintf("RABBITMQ_ENDPOINT=rabbitmq-stream://127.0.0.1:%d", s.server.stream),
		fmt.Sprintf("RABBITMQ_AMQP_ENDPOINT=amqp://127.0.0.1:%d", s.server.amqp),
		"RABBITMQ_USERNAME=" + rabbitUser, "RABBITMQ_PASSWORD=" + rabbitPassword,
		fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
	}
}

func (s rabbitTier) startIngest(t testing.TB, platform *sim.Server, state string, changes ...string) *process {
	t.Helper()
	return start(t, "otelcol-ccaas", append(s.environment(t),
		"CCAAS_ENDPOINT="+strings.Replace(platform.URL(), "http", "ws", 1),
		"CCAAS_STATE="+state, "CCAAS_CLIENT_ID=id", "CCAAS_CLIENT_SECRET=secret",
	), configured([]string{"../config/rabbitmq-ingest.yaml"}, append(changes, "service::telemetry::metrics::level: none"))...)
}

// startWindows starts a collector that counts windows.
func (s rabbitTier) startWindows(t testing.TB, changes ...string) *process {
	t.Helper()
	return start(t, "otelcol-ccaas", append(s.environment(t), "SINK="+s.windows.url, "PROMETHEUS_URL="+s.windows.url),
		configured([]string{"../config/rabbitmq-window.yaml", "testdata/rabbitmq/window.yaml"}, changes)...)
}

// configured are the arguments of a collector: files, and keys that differ from them.
func configured(files, changes []string) (arguments []string) {
	for _, file := range files {
		arguments = append(arguments, "--config", file)
	}
	for _, change := range changes {
		arguments = append(arguments, "--config", "yaml:"+change)
	}
	return arguments
}

// claims waits until a collector has claimed a partition.
func claims(t testing.TB, p *process) {
	t.Helper()
	eventually(t, func() error {
		if !strings.Contains(p.output.String(), "Partition claimed") {
			return errors.New("the collector has no partition")
		}
		return nil
	})
}

// twoPlatforms send events of ten streams.
func twoPlatforms(t *testing.T, rate float64, events int64) (platforms []*sim.Server) {
	t.Helper()
	for _, tenants := range [][]string{{"acme_corp", "globex", "initech"}, {"umbrella", "hooli"}} {
		platforms = append(platforms, startPlatform(t, func(c *sim.Config) {
			c.Rate, c.Events, c.Announce, c.Sessions = rate, events, true, 2_000
			c.Tenants, c.Regions = tenants, []string{"us-east-1", "eu-west-1"}
			c.Frame, c.FrameEvents, c.DropRate = sim.FrameArray, 10, 10
		}))
	}
	return platforms
}

// Windows and totals stay exact when collectors that count them are killed, stopped
// for longer than the session timeout, added and replaced under load.
func TestWindowsBehindRabbitMQStayExact(t *testing.T) {
	t.Parallel()
	platforms := twoPlatforms(t, 1_000, 36_000)
	set := startRabbitTier(t, platforms...)
	changeOwners(t, set.windows, func() *process { return set.startWindows(t) }, claims, platforms)
}

// progresses waits for as long as a platform sends events.
func progresses(t testing.TB, platform *sim.Server) {
	t.Helper()
	for {
		before := platform.Truth().Events
		select {
		case <-platform.Done():
			return
		case <-time.After(patience):
			require.Greater(t, platform.Truth().Events, before, "the platform sends nothing more")
		}
	}
}

// Window collectors are killed at any moment, at least one of them always runs.
func TestFaultRabbitMQ_KilledWindowCollectors(t *testing.T) {
	t.Parallel()
	kills := amount(6, 200)
	platforms := twoPlatforms(t, 300, int64(kills)*amount[int64](2_500, 700))
	set := startRabbitTier(t, platforms...)
	collectors := []*process{set.startWindows(t), set.startWindows(t)}
	claims(t, collectors[0])
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // moments
	for i := range kills {
		claims(t, collectors[i%2])
		time.Sleep(time.Duration(random.IntN(3_000)) * time.Millisecond)
		collectors[i%2].kill(t)
		collectors[i%2] = set.startWindows(t)
	}
	for _, platform := range platforms { // how long the kills take depends on the machine
		progresses(t, platform)
	}
	truth := truthOf(t, platforms)
	eventually(t, func() error { return set.windows.disagreement(truth) })
	set.windows.check(t, truth)
	measured(t, "%d kills of window collectors: totals exact, %d windows, none with two values", kills, set.windows.distinct())
}

// The broker is killed, restarted and has a full disk, and connections are reset, while windows are counted.
func TestFaultRabbitMQ_BrokerFaults(t *testing.T) {
	t.Parallel()
	platforms := twoPlatforms(t, 500, amount[int64](20_000, 60_000))
	set := startRabbitTier(t, platforms...)
	first, second := set.startWindows(t), set.startWindows(t)
	claims(t, first)
	claims(t, second)
	set.windows.waitFor(t, 50)
	away := amount(2*time.Second, 20*time.Second)

	for range amount(2, 10) {
		set.server.control(t, "close_all_connections", "reset")
		time.Sleep(time.Second)
	}
	set.windows.waitUntil(t, time.Now())
	set.server.alarm(t, true)
	time.Sleep(away)
	set.server.alarm(t, false)
	set.windows.waitUntil(t, time.Now())
	set.server.kill(t)
	time.Sleep(away)
	set.server.start(t)
	set.windows.waitUntil(t, time.Now())
	set.server.server.stop(t)
	set.server.start(t)

	truth := truthOf(t, platforms)
	eventually(t, func() error { return set.windows.disagreement(truth) })
	set.windows.check(t, truth)
	for _, collector := range []*process{first, second} {
		require.NoError(t, collector.ended())
		assert.NotContains(t, collector.output.String(), "Messages are lost")
	}
}
