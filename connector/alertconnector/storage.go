// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
)

// open opens the storage and restores the state. Where the storage is unavailable, rules
// are evaluated without one, and that is reported as the component's status.
func (e *evaluator) open(ctx context.Context, host component.Host, now time.Time) error {
	client, err := state.Open(ctx, host, *e.config.Storage, component.KindConnector, e.id, "")
	if errors.Is(err, state.ErrUnavailable) {
		e.logger.Error("Storage cannot be opened. Baselines start without history, and no state is saved", zap.Error(err))
		e.report(componentstatus.NewRecoverableErrorEvent(err))
		return nil
	}
	if err != nil {
		return err
	}
	e.checkpoints = &checkpointStore{Store: state.NewStore(client, e.config.Storage.String(), e.logger, e.report)}
	return e.restore(ctx, now)
}

func (e *evaluator) report(event *componentstatus.Event) {
	for _, host := range e.hosts {
		componentstatus.ReportStatus(host, event)
	}
}

// restore restores the state. Damaged values are quarantined and the rest is used.
func (e *evaluator) restore(ctx context.Context, now time.Time) error {
	found, err := e.engine.Restore(func(keys ...string) ([][]byte, error) { return e.checkpoints.get(ctx, keys...) })
	if err == nil {
		err = e.restoreAlerts(ctx)
	}
	if err == nil {
		err = e.restoreHeartbeat(ctx, now)
	}
	if err != nil {
		return fmt.Errorf("storage: %s: cannot be read: %w", e.config.Storage, err)
	}
	for _, damage := range found.Damage {
		e.checkpoints.Quarantine(ctx, damage.Key, damage.Piece, damage.Err)
	}
	e.engine.Resume(now.UnixMilli())
	if found.Series > 0 || found.Dropped > 0 {
		e.logger.Info("Resumed from saved state", zap.Int("series", found.Series), zap.Int("pending_alerts", e.alerts.count()),
			zap.Int("series_without_a_rule", found.Dropped))
	}
	if found.Dropped > 0 || len(found.Outcome.Alerts) > 0 {
		e.save(ctx, e.write(ctx, found.Outcome.Alerts, now))
	}
	return nil
}

// restoreAlerts restores the alerts that may not be delivered.
func (e *evaluator) restoreAlerts(ctx context.Context) error {
	var p pending
	ok, err := e.checkpoints.Load(ctx, pendingKey, func(value []byte) error {
		content, err := engine.Decode(value)
		if err == nil {
			err = json.Unmarshal(content, &p)
		}
		if err == nil && (p.First < 0 || p.Next < p.First || p.Next-p.First > 2*maxPending) { // removed rules can add some
			err = fmt.Errorf("alerts %d to %d are pending", p.First, p.Next)
		}
		return err
	})
	if err != nil || !ok {
		return err
	}
	e.checkpoints.pending = p
	for number := p.First; number < p.Next; number++ {
		var logs plog.Logs
		ok, err := e.checkpoints.Load(ctx, alertsKey(number), func(value []byte) error {
			content, err := engine.Decode(value)
			if err == nil {
				logs, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(content)
			}
			return err
		})
		if err != nil {
			return err
		}
		if ok && e.alerts.next != nil {
			e.alerts.waiting = append(e.alerts.waiting, alertBatch{number: number, logs: logs})
		}
	}
	return nil
}

// save writes alerts and changed state in one batch, in an order that is consistent
// wherever it is cut off: an alert is on the storage before the state that marks it as
// emitted. A storage failure is not fatal: what it has rejected is written with the next
// batch. Rewritten are queued batches that have changed.
func (e *evaluator) save(ctx context.Context, logs plog.Logs, rewritten ...alertBatch) {
	hasAlerts := logs.LogRecordCount() > 0 && e.alerts.next != nil
	if e.checkpoints == nil {
		if hasAlerts {
			e.alerts.waiting = append(e.alerts.waiting, alertBatch{logs: logs})
		}
		e.engine.Saved() // nothing is saved
		return
	}
	k := e.checkpoints
	var operations []*storage.Operation
	var err error
	if hasAlerts {
		e.alerts.waiting = append(e.alerts.waiting, alertBatch{number: k.pending.Next, logs: logs})
		k.pending.Next++
	}
	if hasAlerts || k.Failing() {
		operations, err = e.saveAlerts(hasAlerts)
	}
	for _, batch := range rewritten {
		if content, failure := (&plog.ProtoMarshaler{}).MarshalLogs(batch.logs); failure == nil {
			operations = append(operations, storage.SetOperation(alertsKey(batch.number), engine.Encode(content)))
		}
	}
	operations = append(operations, e.saveHeartbeat()...)
	for _, change := range e.engine.Changes() {
		if change.Value == nil {
			operations = append(operations, storage.DeleteOperation(change.Key))
		} else {
			operations = append(operations, storage.SetOperation(change.Key, change.Value))
		}
	}
	if err == nil && len(operations) > 0 {
		err = k.Batch(ctx, operations...)
	}
	if err == nil {
		e.engine.Saved()
		if e.beat != nil {
			e.beat.Stored()
		}
		if hasAlerts || k.Failing() {
			k.taken = nil
		}
	}
	e.recordSave(ctx, err)
}

// saveAlerts returns the operations for the latest alerts, or for all queued ones after a
// failure.
func (e *evaluator) saveAlerts(latest bool) ([]*storage.Operation, error) {
	batches := e.alerts.waiting
	if latest && !e.checkpoints.Failing() {
		batches = batches[len(batches)-1:]
	}
	var operations []*storage.Operation
	for _, batch := range batches {
		content, err := (&plog.ProtoMarshaler{}).MarshalLogs(batch.logs)
		if err != nil {
			return nil, err
		}
		operations = append(operations, storage.SetOperation(alertsKey(batch.number), engine.Encode(content)))
	}
	return append(operations, e.checkpoints.forget()...), nil
}

// taken records that downstream has accepted a batch of alerts. If that fails, a restart
// sends them again, under the same ids.
func (e *evaluator) taken(ctx context.Context, number int64) {
	if e.checkpoints == nil {
		return
	}
	e.checkpoints.pending.First = number + 1
	e.checkpoints.taken = append(e.checkpoints.taken, number)
	if e.checkpoints.Failing() {
		return // the next save records it
	}
	if err := e.checkpoints.Batch(ctx, e.checkpoints.forget()...); err != nil {
		e.recordSave(ctx, err)
		return
	}
	e.checkpoints.taken = nil
}

// recordSave records the result of a save.
func (e *evaluator) recordSave(ctx context.Context, err error) {
	if err != nil {
		e.telemetry.AlertSaveFailures.Add(ctx, 1)
	}
	e.checkpoints.Saved(err)
}
