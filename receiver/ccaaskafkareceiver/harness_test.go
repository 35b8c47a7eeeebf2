// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// patience is the maximum time that a test waits for an expected result.
const patience = 30 * time.Second

const (
	topic   = "ccaas_events"
	size    = 2 * time.Second // of windows
	tenants = 5
)

// startKafka starts a Kafka in this process.
func startKafka(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(2), kfake.SeedTopics(4, topic), kfake.GroupMinSessionTimeout(100 * time.Millisecond),
	}, options...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func configFor(cluster *kfake.Cluster) *Config {
	config := createDefaultConfig().(*Config)
	config.Brokers = cluster.ListenAddrs()
	config.SessionTimeout, config.HeartbeatInterval, config.RebalanceTimeout = 2*time.Second, 50*time.Millisecond, 5*time.Second
	return config
}

// windows are all windows that were emitted, by any collector.
type windows struct {
	mutex   sync.Mutex
	emitted map[wsevent.Tags]map[int64]string // by start: everything that was emitted
	last    map[wsevent.Tags]wslog.Record
	count   int
	errors  []string
}

func newWindows() *windows {
	return &windows{emitted: map[wsevent.Tags]map[int64]string{}, last: map[wsevent.Tags]wslog.Record{}}
}

func (*windows) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeLogs compares every window with its earlier emissions.
func (w *windows) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				decoded, err := wslog.DecodeRecord(record)
				if err != nil {
					return err
				}
				w.note(decoded, fmt.Sprint(record.Body().AsRaw()))
			}
		}
	}
	return nil
}

func (w *windows) note(r wslog.Record, said string) {
	w.count++
	if w.emitted[r.Tags] == nil {
		w.emitted[r.Tags] = map[int64]string{}
	}
	if before, again := w.emitted[r.Tags][int64(r.Start)]; again && before != said {
		w.errors = append(w.errors, fmt.Sprintf("%s\nthen\n%s", before, said))
	}
	if complete, _ := r.Fields.Get(wsevent.FieldComplete); !complete.Bool() {
		w.errors = append(w.errors, "incomplete: "+said)
	}
	w.emitted[r.Tags][int64(r.Start)] = said
	if r.End >= w.last[r.Tags].End {
		w.last[r.Tags] = r
	}
}

// total is a running total over all series.
func (w *windows) total(key string) (sum int64) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, r := range w.last {
		n, _ := wslog.Int(r.Totals, key)
		sum += n
	}
	return sum
}

func (w *windows) number() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.count
}

// member is a collector that counts windows: the receiver and the processor.
type member struct {
	*kafkaReceiver
	emitted *windows
	stop    func()
	host    *owntest.Host
}

// newMember makes a collector that has not joined the group.
func newMember(t testing.TB, config *Config, emitted *windows, change ...func(*receiver.Settings)) *member {
	t.Helper()
	factory := wswindowprocessor.NewFactory()
	windowing := factory.CreateDefaultConfig().(*wswindowprocessor.Config)
	windowing.Size, windowing.Overlap, windowing.AllowedLateness = size, 0, 500*time.Millisecond
	windowing.PassThrough, windowing.CheckpointInterval = false, time.Second
	windowing.IdleTimeout = time.Hour // so that a busy machine is not taken for a quiet stream
	p, err := factory.CreateLogs(t.Context(), processortest.NewNopSettings(factory.Type()), windowing, emitted)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	return memberWith(t, config, emitted, p, change...)
}

func memberWith(t testing.TB, config *Config, emitted *windows, p processor.Logs, change ...func(*receiver.Settings)) *member {
	t.Helper()
	set := receivertest.NewNopSettings(metadata.Type)
	for _, change := range change {
		change(&set)
	}
	r, err := newReceiver(set, config, p)
	require.NoError(t, err)
	m := &member{kafkaReceiver: r, emitted: emitted, host: owntest.NewHost(nil)}
	m.stop = sync.OnceFunc(func() {
		require.NoError(t, r.Shutdown(context.Background()))
		require.NoError(t, p.Shutdown(context.Background()))
	})
	t.Cleanup(func() { m.stop() })
	return m
}

// byHand lets the test say which partitions the collector has, instead of a group.
func (m *member) byHand(t testing.TB) *member {
	t.Helper()
	var err error
	m.engine.Status = partitioned.NewStatus(m.host.Report)
	m.connect, err = m.config.connect(t.Context(), componenttest.NewNopHost(), m.set.Logger)
	require.NoError(t, err)
	m.member, err = kgo.NewClient(m.connect...)
	require.NoError(t, err)
	running, stop := context.WithCancel(context.Background())
	m.kafkaReceiver.stop = stop
	m.running.Go(func() { m.watch(running) })
	return m
}

// reads waits until the collector has begun with partitions.
func (m *member) reads(t testing.TB, numbers ...int32) {
	t.Helper()
	eventually(t, func() error {
		here := slices.Sorted(maps.Keys(m.engine.Active()))
		for _, number := range numbers {
			if !slices.Contains(here, number) {
				return fmt.Errorf("the collector has %v, not %v", here, numbers)
			}
		}
		return nil
	})
}

// readsToTheEnd waits until the collector has read all that the partitions hold now.
func (m *member) readsToTheEnd(t testing.TB) {
	t.Helper()
	now := time.Now()
	m.reads(t, all...)
	eventually(t, func() error {
		for _, a := range m.engine.Active() {
			if a.CaughtUpTo().Before(now) {
				return fmt.Errorf("%s is not read to its end", a)
			}
		}
		return nil
	})
}

func eventually(t testing.TB, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	require.NoError(t, err)
}
