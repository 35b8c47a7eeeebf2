// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// sessionTier is a simulator, whose dropped users connect again, in front of a real Kafka, and what
// receives the sessions that collectors behind it record.
type sessionTier struct {
	tier
	platform *sim.Server
	record   string // of the simulator
	sessions *sessionSink
}

func startSessionTier(t *testing.T) sessionTier {
	t.Helper()
	record := filepath.Join(t.TempDir(), "truth.jsonl")
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Announce, c.Sessions, c.Record = 300, true, 200, record
		c.Tenants, c.Regions, c.DropRate = []string{"acme_corp", "globex"}, []string{"us-east-1", "eu-west-1"}, 20
		c.ReconnectRate, c.ReconnectWithin = 60, 10*time.Second
	})
	return sessionTier{tier: startTier(t, platform), platform: platform, record: record, sessions: startSessionSink(t)}
}

// collect starts a collector that records sessions, and waits until it has partitions.
func (s sessionTier) collect(t *testing.T, timeout time.Duration) *process {
	t.Helper()
	collector := start(t, "otelcol-ccaas", []string{
		"KAFKA_BROKERS=" + s.broker.address, "SINK=" + s.sessions.URL, "PROMETHEUS_URL=" + s.windows.url,
		fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
	}, "--config", "../config/kafka-window.yaml", "--config", "testdata/kafka/window.yaml",
		"--config", fmt.Sprintf("yaml:receivers::ccaas_kafka::session_timeout: %v", timeout),
		"--config", "yaml:processors::ws_window::sessions::enabled: true",
		"--config", "yaml:processors::ws_window::sessions::sample_ratio: 0.5")
	has(t, collector)
	return collector
}

// silence ends the traffic, and returns what happened in the sessions that have ended.
func (s sessionTier) silence(t *testing.T) map[string]sessionTruth {
	t.Helper()
	require.NoError(t, s.platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	time.Sleep(time.Second) // for what is being sent
	eventually(t, func() error {
		written, err := os.ReadFile(s.record)
		if lines, sent := bytes.Count(written, []byte("\n")), s.platform.Truth().Events; err == nil && int64(lines) != sent {
			err = fmt.Errorf("%d of %d events are recorded", lines, sent)
		}
		return err
	})
	return sessionsOf(t, s.record)
}

// equal waits until every session has a record, and compares them with the simulator's.
func (s sessionTier) equal(t *testing.T, truth map[string]sessionTruth) (reconnects int) {
	t.Helper()
	require.NotEmpty(t, truth)
	eventually(t, func() error { return s.sessions.hasAll(truth) })
	records, err := s.sessions.byChannel()
	require.NoError(t, err)
	require.NoError(t, agree(records, truth))
	for _, session := range truth {
		if session.reconnectOf != "" {
			reconnects++
		}
	}
	require.Positive(t, reconnects)
	eventually(t, func() error { return s.sessions.hasReopened(s.platform.Truth().Total.ConnectionsReopened) })
	return reconnects
}

// Behind Kafka, every session equals the simulator's, though the collectors that record them are
// killed: number, duration, counts, outcome, first reply and reconnects. None has two IDs.
func TestFaultSessions_KilledCollectorsBehindKafka(t *testing.T) {
	t.Parallel()
	set, timeout := startSessionTier(t), amount(6*time.Second, 2*time.Second)
	running := set.collect(t, timeout)
	kills := amount(4, 200)
	for kill := range kills {
		time.Sleep(time.Duration(kill%8) * 400 * time.Millisecond) // also right at the assignment
		running.kill(t)
		running = set.collect(t, timeout)
	}
	time.Sleep(3 * time.Second) // so that sessions end after the last one, too
	truth := set.silence(t)
	reconnects := set.equal(t, truth)
	measured(t, "%d sessions over %d kills, %d of them reconnects: all equal", len(truth), kills, reconnects)
}

// The sessions of a partition move with it: to another collector when theirs is killed, and when it is
// stopped for longer than the group waits and does not know what happened meanwhile.
func TestFaultSessions_MoveWithThePartition(t *testing.T) {
	t.Parallel()
	set := startSessionTier(t)
	collect := func() *process { return set.collect(t, 6*time.Second) }
	first, second := collect(), collect()
	recorded := func() {
		have := set.sessions.recorded()
		eventually(t, func() error {
			if set.sessions.recorded() < have+50 {
				return errors.New("no further sessions are recorded")
			}
			return nil
		})
	}
	recorded()
	first.kill(t)
	recorded()
	third := collect()
	require.NoError(t, second.Process.Signal(syscall.SIGSTOP))
	recorded()
	require.NoError(t, second.Process.Signal(syscall.SIGCONT))
	eventually(t, func() error {
		if !strings.Contains(second.output.String(), "partition lost") {
			return errors.New("the collector that was stopped does not know yet that others have its partitions")
		}
		return nil
	})
	collect()
	third.stop(t)
	truth := set.silence(t)
	reconnects := set.equal(t, truth)
	measured(t, "%d sessions over a kill, a collector that is stopped, and a shutdown, %d of them reconnects: all equal", len(truth), reconnects)
}
