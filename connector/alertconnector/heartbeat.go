// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/heartbeat"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	// heartbeatSeverity is that of Prometheus's Watchdog.
	heartbeatSeverity = "none"
	// heartbeatIntervals is how many intervals a heartbeat is valid for: its receiver sees it
	// end when so many were withheld.
	heartbeatIntervals = 3
	// heartbeatKey is the key of the monitored streams on the storage.
	heartbeatKey = "heartbeat"

	activeMetric = "ws.active_connections"
)

// beat is the always-firing alert, and the streams that it depends on.
type beat struct {
	*heartbeat.Monitor

	name     string
	interval time.Duration
	withheld bool // it is logged
	over     bool // as is that there are too many streams
}

func newBeat(config *Config) *beat {
	if !config.Heartbeat.HasValue() {
		return nil
	}
	c := config.Heartbeat.Get()
	return &beat{Monitor: heartbeat.New(c.Interval.Milliseconds(), config.MaxSeries), name: c.Name, interval: c.Interval}
}

// want adds the metrics that the heartbeat needs.
func (b *beat) want(metrics map[string]bool) {
	if b != nil {
		metrics[wsevent.CompleteMetric], metrics[activeMetric] = true, true
	}
}

// observeStreams records the windows of streams.
func (e *evaluator) observeStreams(windows []engine.Window, now time.Time) {
	if e.beat == nil {
		return
	}
	var found []heartbeat.Window
	for i := range windows {
		w := &windows[i]
		var one heartbeat.Window
		is := false
		for _, v := range w.Values {
			switch v.Metric {
			case activeMetric:
				one.Open, is = &v.Value, true
			case wsevent.CompleteMetric:
				is = true
			}
		}
		if is {
			one.Stream.Tenant, _ = w.Attributes.Get(wsevent.TenantID)
			one.Stream.Region, _ = w.Attributes.Get(wsevent.Region)
			one.End = w.End
			found = append(found, one)
		}
	}
	if over := e.beat.Observe(found, now.UnixMilli()); over > 0 && !e.beat.over {
		e.beat.over = true
		e.logger.Warn("Too many streams for the heartbeat; it does not depend on further ones", zap.Int("max_series", e.config.MaxSeries))
	}
}

// heartbeatAlerts returns the heartbeat where it is due. While alerts are queued, downstream
// does not accept them, and no heartbeat is emitted, so that old ones are never sent later.
func (e *evaluator) heartbeatAlerts(now time.Time) []engine.Alert {
	if e.beat == nil || e.alerts.count() > 0 {
		return nil
	}
	b := e.beat
	due := b.Due(now.UnixMilli())
	switch late := b.Late(now.UnixMilli()); {
	case len(late) > 0 && !b.withheld:
		b.withheld = true
		e.logger.Warn("Heartbeat withheld: no windows arrive for a stream that is up", zap.String("heartbeat", b.name), zap.Int("late_streams", len(late)), zap.Any("first", late[0]))
	case len(late) == 0 && b.withheld:
		b.withheld = false
		e.logger.Info("Heartbeat resumed", zap.String("heartbeat", b.name))
	}
	if !due {
		return nil
	}
	id := sha256.Sum256([]byte("heartbeat\x00" + b.name))
	return []engine.Alert{{
		ID: hex.EncodeToString(id[:16]), Rule: b.name, Severity: heartbeatSeverity,
		Start: now.Add(-b.interval).UnixMilli(), End: now.UnixMilli(), Reason: rule.Reason{Cause: rule.Fired},
		EndsAt: now.Add(heartbeatIntervals * b.interval).UnixMilli(),
	}}
}

// level is that of the log record of an alert: heartbeats would fill the log.
func (b *beat) level(name string) zapcore.Level {
	if b != nil && name == b.name {
		return zap.DebugLevel
	}
	return zap.InfoLevel
}

// lateStreams returns the number of streams that withhold the heartbeat.
func (e *evaluator) lateStreams() int64 {
	if e.beat == nil {
		return 0
	}
	return int64(len(e.beat.Late(time.Now().UnixMilli())))
}

// saveHeartbeat returns the operation that saves the streams, where they have changed.
func (e *evaluator) saveHeartbeat() []*storage.Operation {
	if e.beat == nil || !e.beat.Changed() {
		return nil
	}
	text, _ := json.Marshal(e.beat.Save()) // texts and numbers
	return []*storage.Operation{storage.SetOperation(heartbeatKey, engine.Encode(text))}
}

func (e *evaluator) restoreHeartbeat(ctx context.Context, now time.Time) error {
	if e.beat == nil {
		return nil
	}
	_, err := e.checkpoints.Load(ctx, heartbeatKey, func(value []byte) error {
		content, err := engine.Decode(value)
		var saved []heartbeat.Saved
		if err == nil {
			err = json.Unmarshal(content, &saved)
		}
		if err == nil {
			err = e.beat.Restore(saved, now.UnixMilli())
		}
		return err
	})
	return err
}
