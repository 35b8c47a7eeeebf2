// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/statelog"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

var all = []int32{0, 1, 2, 3}

func TestGroup_WindowsOfTwoReceivers(t *testing.T) {
	t.Parallel()
	cluster, emitted := startKafka(t), newWindows()
	events := newPlatform(t, cluster)
	first := newMember(t, configFor(cluster), emitted)
	require.NoError(t, first.Start(t.Context(), componenttest.NewNopHost()))
	first.reads(t, all...)
	events.send(t, 30, 200*time.Millisecond)

	second := newMember(t, configFor(cluster), emitted)
	require.NoError(t, second.Start(t.Context(), componenttest.NewNopHost()))
	eventually(t, func() error {
		if len(second.engine.Active()) != 2 || len(first.engine.Active()) != 2 {
			return errors.New("the partitions are not shared")
		}
		return nil
	})
	events.send(t, 30, 200*time.Millisecond)
	first.stop()
	second.reads(t, all...)
	events.send(t, 30, 200*time.Millisecond)
	events.finish(t, emitted)
}

// A fenced owner that does not learn of the reassignment still reads and counts, but
// emits nothing.
func TestGroup_ZombieIsFenced(t *testing.T) {
	t.Parallel()
	cluster, emittedByZombie, emitted := startKafka(t), newWindows(), newWindows()
	events := newPlatform(t, cluster)
	config := configFor(cluster)
	config.HeartbeatInterval = time.Hour // it does not learn of the reassignment
	zombie := newMember(t, config, emittedByZombie).byHand(t)
	zombie.assign(t.Context(), all)
	zombie.reads(t, all...)
	events.send(t, 30, 200*time.Millisecond)
	eventually(t, func() error {
		if emittedByZombie.number() < 2*tenants {
			return errors.New("no windows yet")
		}
		return nil
	})

	owner := newMember(t, configFor(cluster), emitted).byHand(t)
	owner.assign(t.Context(), all)
	owner.reads(t, all...)
	events.send(t, 1, 0) // a window more ends for both of them
	before := emittedByZombie.number()
	events.send(t, 30, 200*time.Millisecond)
	eventually(t, func() error {
		if len(zombie.engine.Active()) > 0 {
			return errors.New("the zombie has not noticed")
		}
		return nil
	})
	events.finish(t, emitted)
	assert.LessOrEqual(t, emittedByZombie.number()-before, tenants, "what it had saved before")
	// The owner resumes where the zombie's last checkpoint ends: no window is missing, and one
	// that both emit is the same.
	require.NotEmpty(t, emittedByZombie.emitted)
	for tags, windows := range emittedByZombie.emitted {
		after := slices.Sorted(maps.Keys(emitted.emitted[tags]))
		require.Greater(t, len(after), 1, tags)
		step := after[1] - after[0]
		assert.LessOrEqual(t, after[0], slices.Max(slices.Collect(maps.Keys(windows)))+step, "%v: a window is missing", tags)
		for start, body := range windows {
			if again, ok := emitted.emitted[tags][start]; ok {
				assert.Equal(t, body, again)
			}
		}
	}
}

// For any sequence of reassignments, the windows equal those of a single collector without
// a restart.
func TestGroup_ExactWindowsOverAnyReassignments(t *testing.T) {
	t.Parallel()
	cluster, emitted := startKafka(t), newWindows()
	events := newPlatform(t, cluster)
	random := rand.New(rand.NewPCG(1, 2))
	for range 25 {
		events.send(t, random.IntN(12), time.Duration(random.IntN(400))*time.Millisecond)
		m := newMember(t, configFor(cluster), emitted).byHand(t)
		m.assign(t.Context(), all)
		if random.IntN(3) > 0 {
			m.reads(t, all...)
			events.send(t, random.IntN(12), time.Duration(random.IntN(400))*time.Millisecond)
		}
		time.Sleep(time.Duration(random.IntN(120)) * time.Millisecond) // to be cut off anywhere
		if random.IntN(2) > 0 {
			m.engine.Revoke(all, partitioned.ErrRevoked)
		} else {
			m.engine.Revoke(all, partitioned.ErrLost)
		}
	}
	last := newMember(t, configFor(cluster), emitted).byHand(t)
	last.assign(t.Context(), all)
	events.finish(t, emitted)
}

// When a checkpoint fails and it is unknown whether the brokers committed it, the
// partition is claimed again and resumes from the state that the brokers hold.
func TestCheckpoint_FailuresChangeNoWindow(t *testing.T) {
	t.Parallel()
	cluster, emitted := startKafka(t), newWindows()
	events := newPlatform(t, cluster)
	m := newMember(t, configFor(cluster), emitted).byHand(t)
	m.assign(t.Context(), all)
	var failures atomic.Int64
	cluster.ControlKey(kmsg.EndTxn.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if failures.Load() == 12 || rand.IntN(4) > 0 {
			return nil, nil, false
		}
		failures.Add(1)
		response := request.ResponseKind().(*kmsg.EndTxnResponse)
		response.ErrorCode = kerr.InvalidTxnState.Code
		return response, nil, true
	})
	for failures.Load() < 12 {
		events.send(t, 1, 200*time.Millisecond)
	}
	events.finish(t, emitted)
}

// An incomplete checkpoint has no effect.
func TestCheckpoint_IsAtomic(t *testing.T) {
	t.Parallel()
	cluster, emitted := startKafka(t), newWindows()
	events := newPlatform(t, cluster)
	first := newMember(t, configFor(cluster), emitted).byHand(t)
	first.assign(t.Context(), all)
	first.reads(t, all...)
	events.send(t, 30, 200*time.Millisecond)
	eventually(t, func() error {
		if emitted.number() < 2*tenants {
			return errors.New("no windows yet")
		}
		return nil
	})
	first.engine.Revoke(all, partitioned.ErrRevoked)

	for _, number := range all {
		dying, err := first.partitionClient(number)
		require.NoError(t, err)
		require.NoError(t, dying.BeginTransaction())
		records := new(statelog.Writer).Set(positionKey, []byte{0xc0, 0x84, 0x3d})
		records = append(records, new(statelog.Writer).Delete(statePrefix+"manifest/0")...)
		records = append(records, new(statelog.Writer).Delete(statePrefix+"manifest/1")...)
		for _, r := range records {
			require.NoError(t, dying.ProduceSync(t.Context(), &kgo.Record{
				Topic: first.config.stateTopic(), Partition: number, Key: r.Key, Value: r.Value,
			}).FirstErr())
		}
		dying.Close()
	}

	second := newMember(t, configFor(cluster), emitted).byHand(t)
	second.assign(t.Context(), all)
	events.send(t, 10, 200*time.Millisecond)
	events.finish(t, emitted)
}

func TestDecode_UndecodableMessageIsDropped(t *testing.T) {
	t.Parallel()
	cluster, emitted := startKafka(t), newWindows()
	events := newPlatform(t, cluster)
	m := newMember(t, configFor(cluster), emitted).byHand(t)
	m.assign(t.Context(), all)
	anywhere, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(anywhere.Close)
	for range 5 {
		events.send(t, 5, 200*time.Millisecond)
		for _, number := range all {
			require.NoError(t, anywhere.ProduceSync(t.Context(),
				&kgo.Record{Topic: topic, Partition: number, Value: []byte(`{"resourceLogs":[]}`)},
				&kgo.Record{Topic: topic, Partition: number},
			).FirstErr())
		}
	}
	events.finish(t, emitted)
}

// If the topic no longer holds the messages after the checkpoint, the windows are
// incomplete.
func TestDataLoss_MakesWindowsIncomplete(t *testing.T) {
	t.Parallel()
	cluster, emitted := startKafka(t), newWindows()
	events := newPlatform(t, cluster)
	first := newMember(t, configFor(cluster), emitted).byHand(t)
	first.assign(t.Context(), all)
	first.reads(t, all...)
	events.send(t, 30, 200*time.Millisecond)
	eventually(t, func() error {
		if emitted.number() < 2*tenants {
			return errors.New("no windows yet")
		}
		return nil
	})
	first.engine.Revoke(all, partitioned.ErrRevoked)
	events.send(t, 5, 200*time.Millisecond)
	forget(t, cluster)

	second := newMember(t, configFor(cluster), emitted).byHand(t)
	second.assign(t.Context(), all)
	second.reads(t, all...)
	events.send(t, 30, 200*time.Millisecond)
	eventually(t, func() error {
		emitted.mutex.Lock()
		defer emitted.mutex.Unlock()
		if len(emitted.errors) < tenants {
			return errors.New("no window is incomplete")
		}
		return nil
	})
	assert.Equal(t, int64(0), emitted.total(wsevent.FieldLateEvents))
}

// Offsets of a recreated topic are unrelated to those of the deleted one.
func TestDataLoss_RecreatedTopicIsReadFromItsStart(t *testing.T) {
	t.Parallel()
	cluster, emitted := startKafka(t), newWindows()
	events := newPlatform(t, cluster)
	first := newMember(t, configFor(cluster), emitted).byHand(t)
	first.assign(t.Context(), all)
	events.send(t, 3, 200*time.Millisecond)
	first.readsToTheEnd(t)
	first.engine.Revoke(all, partitioned.ErrRevoked)
	events.client.Close()
	remake(t, cluster)

	clock, sent := events.clock, events.sent
	events = newPlatform(t, cluster)
	events.clock, events.sent = clock, sent
	events.send(t, 30, 200*time.Millisecond) // more than there were before
	second := newMember(t, configFor(cluster), emitted).byHand(t)
	second.assign(t.Context(), all)
	events.send(t, 1, 2*size)
	eventually(t, func() error {
		if got, want := emitted.total(wsevent.FieldMessagesSent), events.sent-tenants; got != want {
			return fmt.Errorf("the totals are %d, %d were sent", got, want)
		}
		return nil
	})
}

func TestAnnounce_WithoutOwnerIsAnError(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	m := memberWith(t, configFor(cluster), newWindows(), struct {
		component.StartFunc
		component.ShutdownFunc
		consumer.Logs
	}{Logs: consumertest.NewNop()}).byHand(t)
	m.assign(t.Context(), []int32{0})
	eventually(t, func() error {
		if status := m.host.LastEvent(); status == nil || status.Status() != componentstatus.StatusRecoverableError {
			return errors.New("the status is not an error")
		}
		return nil
	})
	assert.ErrorContains(t, m.host.LastEvent().Err(), "put a ws_window processor behind ccaas_kafka")
}
