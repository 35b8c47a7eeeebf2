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
	client, err := state.Open(ctx, host, *e.config.Storage, component.KindConnector, e.id)
	if errors.Is(err, state.ErrUnavailable) {
		e.logger.Error("Storage cannot be opened. Baselines start without history, and no state is saved", zap.Error(err))
		e.report(componentstatus.NewRecoverableErrorEvent(err))
		return nil
	}
	if err != nil {
		return err
	}
	e.keeper = &keeper{Store: state.NewStore(client, e.config.Storage.String(), e.logger, e.report)}
	return e.restore(ctx, now)
}

func (e *evaluator) report(event *componentstatus.Event) {
	for _, host := range e.hosts {
		componentstatus.ReportStatus(host, event)
	}
}

// restore restores the state. Damaged values are quarantined and the rest is used.
func (e *evaluator) restore(ctx context.Context, now time.Time) error {
	found, err := e.engine.Restore(func(keys ...string) ([][]byte, error) { return e.keeper.get(ctx, keys...) })
	if err == nil {
		err = e.restoreAlerts(ctx)
	}
	if err != nil {
		return fmt.Errorf("storage: %s: cannot be read: %w", e.config.Storage, err)
	}
	for _, damage := range found.Damage {
		e.keeper.Quarantine(ctx, damage.Key, damage.Piece, damage.Err)
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
	ok, err := e.keeper.Load(ctx, pendingKey, func(value []byte) error {
		content, err := engine.Decode(value)
		if err == nil {
			err = json.Unmarshal(content, &p)
		}
		if err == nil && (p.First < 0 || p.Next < p.First || p.Next-p.First > 2*maxPending) { // of removed rules some more can come
			err = fmt.Errorf("alerts %d to %d are pending", p.First, p.Next)
		}
		return err
	})
	if err != nil || !ok {
		return err
	}
	e.keeper.pending = p
	for number := p.First; number < p.Next; number++ {
		var logs plog.Logs
		ok, err := e.keeper.Load(ctx, alertsKey(number), func(value []byte) error {
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

// save writes alerts and what has changed in one go, in an order that leaves
// something whole wherever it is cut off: an alert is on the storage before the state
// that says it was told. A storage that fails stops nothing; what it has missed goes
// with the next.
func (e *evaluator) save(ctx context.Context, logs plog.Logs) {
	hasAlerts := logs.LogRecordCount() > 0 && e.alerts.next != nil
	if e.keeper == nil {
		if hasAlerts {
			e.alerts.waiting = append(e.alerts.waiting, alertBatch{logs: logs})
		}
		e.engine.Saved() // there is nothing to keep for later
		return
	}
	k := e.keeper
	var operations []*storage.Operation
	var err error
	if hasAlerts {
		e.alerts.waiting = append(e.alerts.waiting, alertBatch{number: k.pending.Next, logs: logs})
		k.pending.Next++
	}
	if hasAlerts || k.Failing() {
		operations, err = e.saveAlerts(hasAlerts)
	}
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
		if hasAlerts || k.Failing() {
			k.taken = nil
		}
	}
	e.recordSave(ctx, err)
}

// saveAlerts are the operations for the latest alerts, or for all that wait when
// some of them could not be written.
func (e *evaluator) saveAlerts(latest bool) ([]*storage.Operation, error) {
	batches := e.alerts.waiting
	if latest && !e.keeper.Failing() {
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
	return append(operations, e.keeper.forget()...), nil
}

// taken notes that downstream has taken a batch of alerts. Where that fails, a
// restart tells them again, under the same ids.
func (e *evaluator) taken(ctx context.Context, number int64) {
	if e.keeper == nil {
		return
	}
	e.keeper.pending.First = number + 1
	e.keeper.taken = append(e.keeper.taken, number)
	if e.keeper.Failing() {
		return // the next save notes it
	}
	if err := e.keeper.Batch(ctx, e.keeper.forget()...); err != nil {
		e.recordSave(ctx, err)
		return
	}
	e.keeper.taken = nil
}

// recordSave records the result of a save.
func (e *evaluator) recordSave(ctx context.Context, err error) {
	if err != nil {
		e.telemetry.AlertSaveFailures.Add(ctx, 1)
	}
	e.keeper.Saved(err)
}
