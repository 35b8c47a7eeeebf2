// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
)

// open opens the storage client and continues from the state on it.
func (e *evaluator) open(ctx context.Context, host component.Host, now time.Time) error {
	extension, ok := host.GetExtensions()[*e.config.Storage]
	if !ok {
		return fmt.Errorf("storage: %s: there is no such extension; configure one of service::extensions", e.config.Storage)
	}
	provider, ok := extension.(storage.Extension)
	if !ok {
		return fmt.Errorf("storage: %s: is not a storage extension such as file_storage", e.config.Storage)
	}
	client, err := provider.GetClient(ctx, component.KindConnector, e.id, "")
	if err != nil {
		// A storage failure is not fatal: evaluation continues without persistence.
		e.logger.Error("Storage not opened: baselines begin empty, and nothing is saved. "+
			"Is another collector using it? If its file is damaged, move the file of this connector out of the storage's directory and restart",
			zap.Error(err))
		e.report(componentstatus.NewRecoverableErrorEvent(fmt.Errorf("storage: %s: %w", e.config.Storage, err)))
		return nil
	}
	e.keeper = &keeper{client: client}
	return e.restore(ctx, now)
}

func (e *evaluator) report(event *componentstatus.Event) {
	for _, host := range e.hosts {
		componentstatus.ReportStatus(host, event)
	}
}

// restore reads the state. Damaged state is quarantined and logged; the rest is used.
func (e *evaluator) restore(ctx context.Context, now time.Time) error {
	found, err := e.engine.Restore(func(keys ...string) ([][]byte, error) { return e.keeper.get(ctx, keys...) })
	if err == nil {
		err = e.restoreAlerts(ctx, &found)
	}
	if err != nil {
		return fmt.Errorf("storage: %s: cannot be read: %w", e.config.Storage, err)
	}
	for i := range found.Damage {
		e.quarantine(ctx, &found.Damage[i])
	}
	e.engine.Resume(now.UnixMilli())
	if found.Series > 0 || found.Dropped > 0 {
		e.logger.Info("State restored", zap.Int("series", found.Series), zap.Int("pending_alerts", e.alerts.count()),
			zap.Int("series_without_a_rule", found.Dropped))
	}
	if found.Dropped > 0 || len(found.Outcome.Alerts) > 0 {
		e.save(ctx, e.write(ctx, found.Outcome.Alerts, now))
	}
	return nil
}

// quarantine logs damaged state, and keeps it under a key of its own for analysis.
func (e *evaluator) quarantine(ctx context.Context, damage *engine.Damage) {
	key := damagedKey(damage.Key)
	e.logger.Error("Saved state is damaged; it was quarantined and the rest is used. A baseline that it held is learned again",
		zap.String("key", damage.Key), zap.String("kept_as", key), zap.Error(damage.Err))
	if err := e.keeper.client.Set(ctx, key, damage.Piece); err != nil {
		e.logger.Error("Damaged state not quarantined", zap.String("kept_as", key), zap.Error(err))
	}
}

// restoreAlerts reads the alerts that downstream may not have accepted.
func (e *evaluator) restoreAlerts(ctx context.Context, found *engine.Restored) error {
	pieces, err := e.keeper.get(ctx, pendingKey)
	if err != nil || pieces[0] == nil {
		return err
	}
	var p pending
	content, err := engine.Unseal(pieces[0])
	if err == nil {
		err = json.Unmarshal(content, &p)
	}
	if err == nil && (p.First < 0 || p.Next < p.First || p.Next-p.First > 2*maxPending) { // removed rules can add some
		err = fmt.Errorf("alerts %d to %d: not a range", p.First, p.Next)
	}
	if err != nil {
		found.Damage = append(found.Damage, engine.Damage{Key: pendingKey, Piece: pieces[0], Err: err})
		return nil
	}
	e.keeper.pending = p
	for number := p.First; number < p.Next; number++ {
		pieces, err := e.keeper.get(ctx, alertsKey(number))
		if err != nil {
			return err
		}
		if pieces[0] == nil {
			continue
		}
		var logs plog.Logs
		if content, err = engine.Unseal(pieces[0]); err == nil {
			logs, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(content)
		}
		if err != nil {
			found.Damage = append(found.Damage, engine.Damage{Key: alertsKey(number), Piece: pieces[0], Err: err})
			continue
		}
		if e.alerts.next != nil {
			e.alerts.waiting = append(e.alerts.waiting, alertBatch{number: number, logs: logs})
		}
	}
	return nil
}

// save writes alerts and changed state in one batch, in an order that is consistent
// wherever it is cut off: an alert is on the storage before the state that marks it as
// emitted. A storage failure is not fatal: what it has rejected is written with the next
// batch.
func (e *evaluator) save(ctx context.Context, logs plog.Logs) {
	hasAlerts := logs.LogRecordCount() > 0 && e.alerts.next != nil
	if e.keeper == nil {
		if hasAlerts {
			e.alerts.waiting = append(e.alerts.waiting, alertBatch{logs: logs})
		}
		e.engine.Saved() // nothing is saved
		return
	}
	k := e.keeper
	var operations []*storage.Operation
	var err error
	if hasAlerts {
		e.alerts.waiting = append(e.alerts.waiting, alertBatch{number: k.pending.Next, logs: logs})
		k.pending.Next++
	}
	if hasAlerts || k.failed {
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
		err = k.client.Batch(ctx, operations...)
	}
	if err == nil {
		e.engine.Saved()
		if hasAlerts || k.failed {
			k.taken = nil
		}
	}
	e.noteSaved(ctx, err)
}

// saveAlerts returns the operations for the latest alerts, or for all queued ones after a
// failure.
func (e *evaluator) saveAlerts(latest bool) ([]*storage.Operation, error) {
	batches := e.alerts.waiting
	if latest && !e.keeper.failed {
		batches = batches[len(batches)-1:]
	}
	var operations []*storage.Operation
	for _, batch := range batches {
		content, err := (&plog.ProtoMarshaler{}).MarshalLogs(batch.logs)
		if err != nil {
			return nil, err
		}
		operations = append(operations, storage.SetOperation(alertsKey(batch.number), engine.Seal(content)))
	}
	return append(operations, e.keeper.forget()...), nil
}

// taken records that downstream has accepted a batch of alerts. If that fails, a restart
// sends them again, under the same ids.
func (e *evaluator) taken(ctx context.Context, number int64) {
	if e.keeper == nil {
		return
	}
	e.keeper.pending.First = number + 1
	e.keeper.taken = append(e.keeper.taken, number)
	if e.keeper.failed {
		return // the next save records it
	}
	if err := e.keeper.client.Batch(ctx, e.keeper.forget()...); err != nil {
		e.noteSaved(ctx, err)
		return
	}
	e.keeper.taken = nil
}

// noteSaved logs, and reports in the component's status, the begin and the end of a time
// in which the storage fails.
func (e *evaluator) noteSaved(ctx context.Context, err error) {
	if err != nil {
		e.telemetry.AlertSaveFailures.Add(ctx, 1)
	}
	switch {
	case err != nil && !e.keeper.failed:
		err = fmt.Errorf("storage: %s: %w", e.config.Storage, err)
		e.logger.Error("State not saved; rules are applied nevertheless, and a restart continues from the last saved state. "+
			"Is the disk of the storage full?", zap.Error(err))
		e.report(componentstatus.NewRecoverableErrorEvent(err))
	case err == nil && e.keeper.failed:
		e.logger.Info("State saved again")
		e.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
	e.keeper.failed = err != nil
}
