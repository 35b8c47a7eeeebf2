// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/gctuning"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// regionTenants are the tenants of the region that fails, each with the same channels.
const regionTenants = 10

// regionTraffic emits the events of a region, in blocks of a second and tenant.
type regionTraffic struct {
	next     consumer.Logs
	random   *rand.Rand
	blocks   [regionTenants]eventblock.Builder
	scratch  []byte
	sent     int
	messages int64
}

func (r *regionTraffic) add(kind eventblock.Kind, generation, channel int) {
	id := fmt.Sprintf("%08x-%012x", generation, channel)
	now := time.Now().UnixNano()
	e := eventblock.Event{Kind: kind, Time: now - r.random.Int64N(9e8), Observed: now, Channel: eventblock.HashString(id)}
	switch kind {
	case eventblock.ConnectionClose:
		e.Class, e.HasCode, e.CloseCode, e.CloseReason, e.ChannelID = eventblock.Abnormal, true, 1006, []byte("transport.failure"), []byte(id)
	case eventblock.ConnectionOpen:
		e.ChannelID = []byte(id)
	default:
		e.Sized, e.Size = true, 512
		r.messages++
	}
	r.blocks[channel%regionTenants].Add(&e)
	r.sent++
}

// flush sends the second's events.
func (r *regionTraffic) flush(t *testing.T) {
	logs := plog.NewLogs()
	for i := range r.blocks {
		if r.blocks[i].Len() == 0 {
			continue
		}
		resource := logs.ResourceLogs().AppendEmpty()
		wslog.PutTags(resource.Resource().Attributes(), wsevent.Tags{TenantID: fmt.Sprintf("tenant-%d", i), Region: "us-east-1", ChannelType: "webmessaging"})
		r.scratch = wslog.PutBlock(resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty(), &r.blocks[i], r.scratch)
		r.blocks[i].Reset()
	}
	require.NoError(t, r.next.ConsumeLogs(t.Context(), logs))
	time.Sleep(time.Second)
	synctest.Wait()
}

// regionWindows are the sums of the tenants' windows, in order, and passes them on.
type regionWindows struct {
	next consumer.Logs
	at   []wsevent.UnixMilli
	sums map[wsevent.UnixMilli]map[string]float64
}

func (*regionWindows) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (w *regionWindows) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if !wslog.IsWindow(record) {
					continue
				}
				decoded, err := wslog.DecodeRecord(record)
				if err != nil {
					return err
				}
				if w.sums[decoded.Start] == nil {
					w.sums[decoded.Start] = map[string]float64{}
					w.at = append(w.at, decoded.Start)
				}
				for _, name := range []string{wsevent.FieldActiveConnections, wsevent.FieldConnectionsOpened, wsevent.FieldConnectionsDropped, wsevent.FieldLateEvents} {
					n, _ := wslog.Number(decoded.Fields, name)
					w.sums[decoded.Start][name] += n
				}
				total, _ := wslog.Number(decoded.Totals, wsevent.FieldConnectionsDropped)
				w.sums[decoded.Start]["total"] += total
			}
		}
	}
	return w.next.ConsumeLogs(ctx, logs)
}

// A region fails: all channels are dropped within two seconds, and as many new ones open
// within a minute. No event is lost or late, the alert fires once for each tenant and
// resolves, and memory stays bounded. Time is simulated; CPU and memory are this process's.
func TestFaultRegionReconnects(t *testing.T) { //nolint:paralleltest // it measures the process
	channels := amount(20_000, 1_000_000)
	defer debug.SetGCPercent(debug.SetGCPercent(gctuning.Percent)) // of the binary
	synctest.Test(t, func(t *testing.T) {
		alerts := new(consumertest.LogsSink)
		windows := &regionWindows{sums: map[wsevent.UnixMilli]map[string]float64{}}
		traffic := &regionTraffic{random: rand.New(rand.NewPCG(1, 1))}
		var stop func()
		traffic.next, stop = regionPipeline(t, channels, windows, alerts)
		before, cpu := regionRSS(t), regionCPU(t)
		for second := range 30 {
			for channel := second; channel < channels; channel += 30 {
				traffic.add(eventblock.ConnectionOpen, 0, channel)
			}
			traffic.flush(t)
		}
		for second := range 60 { // every channel sends two messages
			for channel := second % 30; channel < channels; channel += 30 {
				traffic.add(eventblock.MessageSend, 0, channel)
			}
			traffic.flush(t)
		}
		steady := regionRSS(t)
		for second := range 2 {
			for channel := second; channel < channels; channel += 2 {
				traffic.add(eventblock.ConnectionClose, 0, channel)
			}
			traffic.flush(t)
		}
		peak := regionRSS(t)
		for second := range 60 {
			for channel := second; channel < channels; channel += 60 {
				traffic.add(eventblock.ConnectionOpen, 1, channel)
			}
			traffic.flush(t)
			peak = max(peak, regionRSS(t))
		}
		for range 30 {
			traffic.flush(t)
		}
		used := regionCPU(t) - cpu
		last := windows.sums[windows.at[len(windows.at)-1]]
		assert.InDelta(t, channels, last["total"], 0, "every drop is counted once")
		assert.InDelta(t, channels, last[wsevent.FieldActiveConnections], 0, "all channels are back")
		late := 0.0
		for _, at := range windows.at {
			late += windows.sums[at][wsevent.FieldLateEvents]
			if of := windows.sums[at]; of[wsevent.FieldConnectionsDropped] > 0 {
				t.Logf("window of second %d: %v", (int64(at)-int64(windows.at[0]))/1000, of)
			}
		}
		assert.Zero(t, late)
		firing, resolved := regionAlerts(alerts)
		assert.Equal(t, regionTenants, firing)
		assert.Equal(t, regionTenants, resolved)
		measured(t, "%d channels dropped in 2 s and back in 60 s, %d events: %.0f ns of CPU per event with the generator; RSS %d MiB before, %d MiB with all channels open, at most %d MiB after; %d alerts fired and %d resolved",
			channels, traffic.sent, float64(used.Nanoseconds())/float64(traffic.sent), before>>20, steady>>20, peak>>20, firing, resolved)
		stop()
	})
}

// regionPipeline is drift, ws_window, ws_metrics and alert in this process.
func regionPipeline(t *testing.T, channels int, windows *regionWindows, alerts consumer.Logs) (first consumer.Logs, stop func()) {
	t.Helper()
	host := componenttest.NewNopHost()
	rules := alertconnector.NewFactory().CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"rules": []any{map[string]any{
		"name": "ws_connection_drop_rate", "metric": "ws.drop_rate", "severity": "critical", "threshold": map[string]any{"above": 0.5},
	}}}).Unmarshal(rules))
	alert, err := alertconnector.NewFactory().CreateMetricsToLogs(t.Context(), connectortest.NewNopSettings(alertconnector.NewFactory().Type()), rules, alerts)
	require.NoError(t, err)
	metrics, err := wsmetricsconnector.NewFactory().CreateLogsToMetrics(t.Context(), connectortest.NewNopSettings(wsmetricsconnector.NewFactory().Type()),
		wsmetricsconnector.NewFactory().CreateDefaultConfig(), alert)
	require.NoError(t, err)
	windows.next = metrics
	config := wswindowprocessor.NewFactory().CreateDefaultConfig().(*wswindowprocessor.Config)
	config.MaxChannels = 3 * channels // a closed channel is remembered until its windows are
	config.PassThrough = false
	window, err := wswindowprocessor.NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(wswindowprocessor.NewFactory().Type()), config, windows)
	require.NoError(t, err)
	drift, err := driftprocessor.NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(driftprocessor.NewFactory().Type()),
		driftprocessor.NewFactory().CreateDefaultConfig(), window)
	require.NoError(t, err)
	require.NoError(t, alert.Start(t.Context(), host))
	require.NoError(t, metrics.Start(t.Context(), host))
	require.NoError(t, window.Start(t.Context(), host))
	require.NoError(t, drift.Start(t.Context(), host))
	return drift, func() {
		require.NoError(t, drift.Shutdown(t.Context()))
		require.NoError(t, window.Shutdown(t.Context()))
		require.NoError(t, metrics.Shutdown(t.Context()))
		require.NoError(t, alert.Shutdown(t.Context()))
	}
}

// regionAlerts counts the episodes that began and ended.
func regionAlerts(sink consumer.Logs) (firing, resolved int) {
	for _, logs := range sink.(*consumertest.LogsSink).AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					switch record.EventName() {
					case wsevent.AlertFiring:
						firing++
					case wsevent.AlertResolved:
						resolved++
					}
				}
			}
		}
	}
	return firing, resolved
}

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// regionRSS is the resident memory of this process, in bytes.
func regionRSS(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	match := residentLine.FindSubmatch(status)
	require.NotNil(t, match)
	kilobytes, err := strconv.ParseInt(string(match[1]), 10, 64)
	require.NoError(t, err)
	return kilobytes << 10
}

// regionCPU is the CPU time of this process.
func regionCPU(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
